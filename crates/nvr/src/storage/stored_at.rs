//! Which destination the settings mean, so that what is stored at one is never taken for stored at
//! another. A hash, so that it can be kept and compared.

use oriel_api::{Destination, StorageSettings};
use oriel_bucket::StoredAt;
use sha2::{Digest, Sha256};

fn hash(parts: &[&str]) -> String {
    let sum = Sha256::digest(parts.join("\n"));
    sum.iter().map(|b| format!("{b:02x}")).collect()
}

/// Where these settings send objects; `None` when nowhere.
pub(crate) fn stored_at(settings: &StorageSettings) -> Option<StoredAt> {
    let [incoming, produced] = match settings.destination {
        Destination::None => return None,
        Destination::Folder => {
            let folder = hash(&["folder", settings.folder.as_deref()?]);
            [folder.clone(), folder]
        }
        Destination::S3 => {
            let endpoint = settings.endpoint.as_deref().unwrap_or_default();
            let (bucket, prefix) = (&settings.bucket, &settings.prefix);
            let other = (&settings.produced_bucket, &settings.produced_prefix);
            let produced = (
                other.0.as_ref().unwrap_or(bucket),
                other.1.as_ref().unwrap_or(prefix),
            );
            [(bucket, prefix), produced].map(|(b, p)| hash(&["s3", endpoint, b, p]))
        }
    };
    Some(StoredAt { incoming, produced })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_from_another_by_where_it_is_alone() {
        let mut a = StorageSettings {
            destination: Destination::S3,
            bucket: "one".into(),
            ..StorageSettings::default()
        };
        let first = stored_at(&a).unwrap();
        assert_eq!(first.incoming, first.produced);
        a.uploads_at_once = 9;
        a.direct = true;
        assert_eq!(stored_at(&a).unwrap(), first);
        a.produced_bucket = Some("two".into());
        let second = stored_at(&a).unwrap();
        assert_eq!(second.incoming, first.incoming);
        assert_ne!(second.produced, first.produced);
        a.prefix = "site".into();
        let third = stored_at(&a).unwrap();
        assert_ne!(third.incoming, first.incoming);
        assert_ne!(third.produced, second.produced);
        a.destination = Destination::None;
        assert_eq!(stored_at(&a), None);
    }
}
