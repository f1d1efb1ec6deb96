//! Opening the file: pragmas, migrations, the copy before them, and clear refusals.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};
use tracing::info;

use crate::{Result, StoreError};

/// `ORIL`: tells a database of ours from any other SQLite file.
const APPLICATION_ID: i64 = 0x4f52_494c;
/// Statements kept prepared: those of recording, uploads and retention take turns.
const WRITER_STATEMENTS: usize = 64;

pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001-start.sql"),
    include_str!("../migrations/0002-storage.sql"),
    include_str!("../migrations/0003-broken-off-uploads.sql"),
    include_str!("../migrations/0004-upload-numbers.sql"),
];

/// Newest schema number this version knows.
pub const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

fn migrations(steps: &[&'static str]) -> Migrations<'static> {
    let steps = steps.iter().map(|sql| M::up(sql).foreign_key_check());
    Migrations::new(steps.collect())
}

/// Opens the one connection that writes, making or upgrading the file as needed.
pub(crate) fn open_writer(path: &Path) -> Result<Connection> {
    open_with(path, MIGRATIONS)
}

/// Opens a file and brings it through these migrations.
pub(crate) fn open_with(path: &Path, steps: &[&'static str]) -> Result<Connection> {
    let mut connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(|e| named(path, e))?;
    prepare(&mut connection, path, steps)?;
    connection.set_prepared_statement_cache_capacity(WRITER_STATEMENTS);
    Ok(connection)
}

/// Opens a connection that cannot write.
pub(crate) fn open_reader(path: &Path) -> Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(|e| named(path, e))?;
    connection
        .execute_batch(
            "PRAGMA busy_timeout = 5000; PRAGMA query_only = ON; PRAGMA cache_size = -2000;
             PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;",
        )
        .map_err(|e| named(path, e))?;
    Ok(connection)
}

fn prepare(connection: &mut Connection, path: &Path, steps: &[&'static str]) -> Result<()> {
    let known = steps.len() as i64;
    connection
        .busy_timeout(std::time::Duration::from_secs(5))
        .map_err(|e| named(path, e))?;
    // Judged before anything is written: a foreign or newer file must stay as it is.
    let found = pragma(connection, path, "user_version")?;
    let application = pragma(connection, path, "application_id")?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))
        .map_err(|e| named(path, e))?;
    if tables > 0 && application != APPLICATION_ID {
        return Err(StoreError::Foreign { path: path.into() });
    }
    if found > known {
        return Err(StoreError::Newer {
            path: path.into(),
            found,
            known,
        });
    }
    // FULL: a commit that was answered survives a power cut. There are few commits a second.
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
             PRAGMA cache_size = -4000; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;
             PRAGMA journal_size_limit = 16777216;",
        )
        .map_err(|e| named(path, e))?;
    if found < known {
        if found > 0 {
            copy_before(connection, path, found)?;
        }
        migrations(steps)
            .to_latest(connection)
            .map_err(|e| StoreError::Migration(e.to_string()))?;
        info!(from = found, to = known, "database schema is up to date");
    }
    Ok(())
}

/// Where the copy of a schema lies: beside the database.
pub(crate) fn copy_path(path: &Path, version: i64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".schema-{version}.bak"));
    name.into()
}

fn copy_before(connection: &Connection, path: &Path, version: i64) -> Result<()> {
    let target = copy_path(path, version);
    let mut part = target.clone().into_os_string();
    part.push(".part");
    let part = PathBuf::from(part);
    // A copy that broke off earlier must not stop this one, nor pass for a whole one.
    match std::fs::remove_file(&part) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            return Err(StoreError::Copy(e.to_string()));
        }
        _ => {}
    }
    let Some(text) = part.to_str() else {
        return Err(StoreError::Copy("the folder's name is not UTF-8".into()));
    };
    connection
        .execute("VACUUM INTO ?1", [text])
        .map_err(|e| StoreError::Copy(e.to_string()))?;
    std::fs::OpenOptions::new()
        .write(true)
        .open(&part)
        .and_then(|f| f.sync_all())
        .and_then(|()| std::fs::rename(&part, &target))
        .map_err(|e| StoreError::Copy(e.to_string()))?;
    info!(copy = %target.display(), "copied the database before upgrading it");
    Ok(())
}

fn pragma(connection: &Connection, path: &Path, name: &str) -> Result<i64> {
    connection
        .pragma_query_value(None, name, |r| r.get(0))
        .map_err(|e| named(path, e))
}

fn named(path: &Path, error: rusqlite::Error) -> StoreError {
    if StoreError::is_damage(&error) {
        StoreError::Damaged {
            path: path.into(),
            cause: error.to_string(),
        }
    } else {
        StoreError::Open {
            path: path.into(),
            cause: error.to_string(),
        }
    }
}
