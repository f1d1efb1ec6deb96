//! The schema is the one that is described.

use super::Temporary;

const COMMITTED: &str = include_str!("../../schema.sql");
const DOCUMENT: &str = include_str!("../../../../docs/schema.md");

async fn from_zero() -> (String, Vec<String>) {
    let t = Temporary::new().await;
    let rows: Vec<(String, String, String)> = t
        .store
        .read(|c| {
            let mut s = c.prepare(
                "SELECT type, name, sql FROM sqlite_schema
                 WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY tbl_name, type DESC, name",
            )?;
            Ok(s.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?
                .collect::<Result<_, _>>()?)
        })
        .await
        .unwrap();
    let tables = rows.iter().filter(|r| r.0 == "table").map(|r| r.1.clone());
    let listing: Vec<_> = rows.iter().map(|r| format!("{};\n", r.2)).collect();
    let head = "-- What the migrations come to. Written by the test `schema_sql_is_fresh`:\n\
                -- ORIEL_WRITE_SCHEMA=1 cargo test -p oriel-store schema_sql\n\n";
    (format!("{head}{}", listing.join("\n")), tables.collect())
}

#[tokio::test]
async fn schema_sql_is_fresh() {
    let (now, _) = from_zero().await;
    if std::env::var_os("ORIEL_WRITE_SCHEMA").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.sql");
        std::fs::write(path, &now).unwrap();
        return;
    }
    assert_eq!(now, COMMITTED.replace("\r\n", "\n"), "schema.sql is stale");
}

#[tokio::test]
async fn every_table_is_strict_and_described() {
    let (now, tables) = from_zero().await;
    assert!(tables.len() >= 11);
    for table in &tables {
        assert!(
            DOCUMENT.contains(&format!("### {table}\n")),
            "docs/schema.md does not describe {table}"
        );
    }
    assert_eq!(
        now.matches("CREATE TABLE").count(),
        now.matches("STRICT").count()
    );
}

#[tokio::test]
async fn nothing_in_the_schema_could_hold_a_password() {
    let (now, _) = from_zero().await;
    for word in ["password", "secret", "username", "credential"] {
        assert!(!now.contains(word), "{word}");
    }
}
