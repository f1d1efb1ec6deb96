//! `orield check --rebuild-from-bucket`: which bucket, and what is said of it.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context, bail};
use clap::Args;
use oriel_api::{BucketAddressing, BucketCredentials, Destination, StorageUpdate};
use oriel_bucket::{
    Addressing, Areas, Bucket, CredentialSource, FolderBucket, KeyPrefix, S3Bucket, S3Settings,
};
use oriel_nvr::{Nvr, NvrOptions};
use oriel_secrets::{MemoryStore, SecretStore};
use oriel_store::Store;
use orield::{
    Config,
    rebuild::{Rebuilt, rebuild},
};

use crate::command::say;

/// Where the footage is. Without any of these, where the recorder's settings say. Access keys
/// come from the AWS environment or profile, never from the command line.
#[derive(Args, Debug)]
// Groups are named after their type, which here is that of the command as well.
#[group(id = "rebuild")]
pub(crate) struct Options {
    /// Make the database again from the objects in the bucket. The recorder must not run
    #[arg(long)]
    pub(crate) rebuild_from_bucket: bool,
    /// Bucket, when the settings are lost too; its access key is in the AWS environment or profile
    #[arg(long, value_name = "NAME", env = "ORIEL_BUCKET")]
    bucket: Option<String>,
    /// Address of the S3 service; AWS when absent
    #[arg(long, value_name = "URL", env = "ORIEL_BUCKET_ENDPOINT")]
    bucket_endpoint: Option<String>,
    /// Region
    #[arg(
        long,
        value_name = "REGION",
        env = "ORIEL_BUCKET_REGION",
        default_value = "us-east-1"
    )]
    bucket_region: String,
    /// What comes before every key
    #[arg(
        long,
        value_name = "PREFIX",
        env = "ORIEL_BUCKET_PREFIX",
        default_value = ""
    )]
    bucket_prefix: String,
    /// The bucket's name is part of the host (AWS)
    #[arg(long, env = "ORIEL_BUCKET_VIRTUAL_HOST")]
    bucket_virtual_host: bool,
    /// Bucket of clips, when it is another one
    #[arg(long, value_name = "NAME", env = "ORIEL_BUCKET_PRODUCED")]
    bucket_produced: Option<String>,
    /// Profile of the AWS configuration
    #[arg(long, value_name = "NAME", env = "ORIEL_BUCKET_PROFILE")]
    bucket_profile: Option<String>,
    /// A folder that footage was copied to, instead of a bucket
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with = "bucket",
        requires = "rebuild_from_bucket"
    )]
    bucket_folder: Option<PathBuf>,
}

impl Options {
    /// The store that is named here; `None` when it is for the settings to say.
    async fn named(&self) -> anyhow::Result<Option<Areas>> {
        if let Some(folder) = &self.bucket_folder {
            let folder = Bucket::Folder(FolderBucket::open(folder, None).await?);
            return Ok(Some(Areas {
                incoming: folder.clone(),
                produced: folder,
            }));
        }
        let Some(bucket) = &self.bucket else {
            return Ok(None);
        };
        let endpoint = self.bucket_endpoint.as_deref().map(str::parse);
        let settings = S3Settings {
            endpoint: endpoint
                .transpose()
                .context("The address of the S3 service is not right")?,
            region: self.bucket_region.clone(),
            bucket: bucket.clone(),
            prefix: KeyPrefix::parse(&self.bucket_prefix)?,
            addressing: if self.bucket_virtual_host {
                Addressing::VirtualHost
            } else {
                Addressing::Path
            },
            credentials: CredentialSource::Chain {
                profile: self.bucket_profile.clone(),
            },
        };
        let incoming = S3Bucket::open(settings.clone()).await?;
        let produced = match &self.bucket_produced {
            None => incoming.clone(),
            Some(other) => {
                S3Bucket::open(S3Settings {
                    bucket: other.clone(),
                    ..settings
                })
                .await?
            }
        };
        Ok(Some(Areas {
            incoming: Bucket::S3(incoming),
            produced: Bucket::S3(produced),
        }))
    }
}

impl Options {
    /// The same as settings; `None` when it is for the settings to say.
    fn settings(&self) -> Option<StorageUpdate> {
        let common = StorageUpdate::default();
        if let Some(folder) = &self.bucket_folder {
            return Some(StorageUpdate {
                destination: Some(Destination::Folder),
                folder: Some(folder.display().to_string()),
                ..common
            });
        }
        let bucket = self.bucket.clone()?;
        Some(StorageUpdate {
            destination: Some(Destination::S3),
            endpoint: self.bucket_endpoint.clone(),
            region: Some(self.bucket_region.clone()),
            bucket: Some(bucket),
            prefix: Some(self.bucket_prefix.clone()),
            produced_bucket: self.bucket_produced.clone(),
            addressing: Some(if self.bucket_virtual_host {
                BucketAddressing::VirtualHost
            } else {
                BucketAddressing::Path
            }),
            credentials: Some(BucketCredentials::Chain),
            profile: self.bucket_profile.clone(),
            ..common
        })
    }
}

/// Makes the place that was named the destination, so that what was found there plays.
async fn adopt(nvr: &Nvr, place: StorageUpdate) {
    let keys = match place.destination {
        Some(Destination::S3) => {
            " Its access key is taken from the AWS environment or profile; \
                                  give it another on the storage page."
        }
        _ => "",
    };
    match nvr.adopt_destination(place).await {
        Ok(true) => say(format_args!(
            "           This is the recorder's destination from now on.{keys}"
        )),
        Ok(false) => say(
            "           The recorder has a destination already, which stays. What is elsewhere \
             plays when that is set on the storage page.",
        ),
        Err(error) => say(format_args!(
            "           Set the destination on the storage page, so that this footage plays: {}",
            error.message
        )),
    }
}

fn random() -> oriel_api::Result<[u8; 12]> {
    oriel_nvr::check::random_id()
}

/// Makes the database again, and says how that goes.
pub(crate) async fn run(
    options: &Options,
    config: &Config,
    store: &Store,
    secrets: Option<Arc<dyn SecretStore>>,
) -> anyhow::Result<()> {
    let named = options.named().await?;
    let secrets = match secrets {
        Some(secrets) => secrets,
        None if named.is_some() => Arc::new(MemoryStore::default()),
        None => bail!("The access key of the bucket cannot be read."),
    };
    let nvr_options = NvrOptions {
        data_dir: config.data.clone(),
        approved_roots: config.storage_roots.clone(),
        ..NvrOptions::default()
    };
    let nvr = Nvr::new(nvr_options, store.clone(), secrets).await?;
    let areas = match named {
        Some(areas) => areas,
        None => nvr.destination().await?,
    };
    let mut said = 0;
    let out = rebuild(store, &areas, random, |so_far| {
        if so_far.objects > said {
            said = so_far.objects;
            say(format_args!("{said:>10} objects looked at"));
        }
    })
    .await?;
    report(&out);
    if let Some(place) = options.settings() {
        adopt(&nvr, place).await;
    }
    Ok(())
}

fn report(out: &Rebuilt) {
    let counts = [
        ("channels made", out.channels),
        ("recordings found again", out.recordings.added),
        (
            "recordings that are on this disk too",
            out.recordings.linked,
        ),
        ("recordings that were known", out.recordings.known),
        (
            "recordings that differ from the bucket's",
            out.recordings.other,
        ),
        ("snapshots found again", out.snapshots.added),
        ("clips found again", out.clips.added),
        ("exports found again", out.exports.added),
        ("objects that cannot be read", out.unreadable),
        ("foreign objects, left alone", out.foreign),
    ];
    for (what, count) in counts {
        say(format_args!("{count:>10} {what}"));
    }
}
