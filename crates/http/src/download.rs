//! `GET /api/recordings/export/{id}/download?file=`: a file of an export, with ranges, for who is
//! signed in or has a signature for it.

use axum::{
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, Method},
    response::Response,
};
use oriel_api::{Caller, Error, Permission, Scope};
use serde::Deserialize;

use crate::{
    failure::Failure,
    partial::{self, Content},
    sign_in,
    site::Site,
};

/// What the address says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    file: String,
    #[serde(default)]
    exp: Option<i64>,
    #[serde(default)]
    sig: Option<String>,
    /// Anything: a page saves the answer. Not signed, as it opens nothing.
    #[serde(default)]
    download: Option<String>,
}

/// Answers with a file or the part of it that is asked for.
pub(crate) async fn serve(
    State(site): State<Site>,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<Wanted>, QueryRejection>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let wanted = query.map(|Query(wanted)| wanted);
    let signature = match &wanted {
        Ok(wanted) => (wanted.exp, wanted.sig.as_deref()),
        Err(_) => (None, None),
    };
    let Path(id) = id.map_err(|_| Failure::not_found())?;
    let caller = match (signature, &wanted) {
        ((Some(exp), Some(sig)), Ok(wanted)) => {
            site.nvr().check_download(&id, &wanted.file, exp, sig)?;
            Caller::owner()
        }
        ((None, None), _) => {
            let caller = sign_in::caller(&site, &Method::GET, &headers).await?;
            if caller.is_anonymous() {
                return Err(Failure::unauthenticated());
            }
            if !caller.may(Permission::RecordingsExport, &Scope::List) {
                return Err(Failure::forbidden("You are not allowed to do this."));
            }
            caller
        }
        _ => return Err(Failure::unauthenticated()),
    };
    let wanted = wanted.map_err(|_| Error::invalid("Say which file: ?file=<name>."))?;
    let key = site.nvr().export_file(&caller, &id, &wanted.file).await?;
    let content = Content::Object(site.nvr().stored_object(key.as_str()).await?);
    let mut response = partial::answer(&method, &headers, content).await?;
    // The names of these files are ours, and so is their ending.
    let (name, ending) = wanted
        .file
        .rsplit_once('.')
        .unwrap_or((&wanted.file, "bin"));
    let ending = format!(".{ending}");
    if wanted.download.is_some() {
        partial::save(&mut response, name, &ending);
    } else {
        partial::download(&mut response, name, &ending);
    }
    Ok(response)
}
