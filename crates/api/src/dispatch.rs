//! The only door: decode, authorise, audit. Every transport comes through here.

use serde::de::DeserializeOwned;

use crate::{Caller, CameraId, ChannelId, Error, ErrorCode, Permission, Timestamp};

/// HTTP verb of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Creates or acts.
    Post,
    /// Changes.
    Patch,
    /// Removes.
    Delete,
}

impl Method {
    /// The verb as HTTP writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
    /// Whether the operation changes nothing, and so is not audited.
    pub const fn is_read(self) -> bool {
        matches!(self, Self::Get)
    }
}

/// What an input touches, for the grant check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The whole recorder.
    System,
    /// A list that the implementation filters by grant.
    List,
    /// One channel.
    Channel(ChannelId),
    /// One camera, before its channel is known.
    Camera(CameraId),
}

/// Says what an input touches. The default is the whole system, so forgetting it is safe.
pub trait Scoped {
    /// The scope of this input.
    fn scope(&self) -> Scope {
        Scope::System
    }
}

/// A row of the operations table, as data.
pub struct Operation {
    /// Name, as used by `rpc` and as operationId.
    pub name: &'static str,
    /// HTTP verb.
    pub method: Method,
    /// Path under `/api`, with `{parameters}`.
    pub path: &'static str,
    /// Permission needed.
    pub permission: Permission,
    /// First sentence of documentation.
    pub doc: &'static str,
    /// JSON Schema of the input.
    pub input: fn(&mut schemars::SchemaGenerator) -> schemars::Schema,
    /// JSON Schema of the output.
    pub output: fn(&mut schemars::SchemaGenerator) -> schemars::Schema,
}

/// The row with this name.
pub fn operation(name: &str) -> Option<&'static Operation> {
    crate::OPERATIONS.iter().find(|o| o.name == name)
}

/// What goes to the audit log for every call that changes something or was refused.
#[derive(Clone, Debug)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub caller: String,
    /// Which operation.
    pub operation: &'static str,
    /// What it touched, as text; never the input, which may hold secrets.
    pub target: String,
    /// Whether it was carried out.
    pub ok: bool,
}

/// An input that was decoded and authorised.
pub struct Accepted<I> {
    /// The input.
    pub input: I,
    /// What it touches.
    pub scope: Scope,
}

/// Decodes an input and checks the caller's right to it.
pub fn accept<I: DeserializeOwned + Scoped>(
    operation: &Operation,
    caller: &Caller,
    input: serde_json::Value,
) -> Result<Accepted<I>, Error> {
    // Nobody learns from the shape of an error whether an operation would have accepted it.
    if caller.is_anonymous() && operation.permission != Permission::Public {
        return Err(Error::new(ErrorCode::Unauthenticated, "Sign in first."));
    }
    let input: I = serde_json::from_value(input).map_err(|e| decode_error(&e))?;
    let scope = input.scope();
    if !caller.may(operation.permission, &scope) {
        return Err(Error::new(
            ErrorCode::PermissionDenied,
            "You are not allowed to do this.",
        ));
    }
    Ok(Accepted { input, scope })
}

fn decode_error(error: &serde_json::Error) -> Error {
    let text = error.to_string();
    // Ids refuse with their own sentence; an unknown id is not a malformed request.
    if let Some(noun) = ["camera", "channel", "clip", "snapshot", "export"]
        .iter()
        .find(|n| text.contains(&format!("There is no such {n}.")))
    {
        return Error::not_found(format!("There is no such {noun}."));
    }
    // serde quotes the offending value, which may be a password typed into the wrong field.
    let field = text.split('`').nth(1).filter(|f| {
        text.starts_with("missing field") || text.starts_with("unknown field") && f.len() < 40
    });
    match field {
        Some(f) if text.starts_with("missing field") => {
            Error::invalid(format!("The field {f} is missing."))
        }
        Some(f) => Error::invalid(format!("There is no field {f} here.")),
        None if text.starts_with("Times are") => {
            Error::invalid("Times are written like 2026-11-21T08:30:00Z.")
        }
        None => Error::invalid("A field has the wrong type or a value out of range."),
    }
}

/// The scope as text for the audit log.
pub(crate) fn target(scope: &Scope) -> String {
    match scope {
        Scope::System | Scope::List => String::new(),
        Scope::Channel(id) => format!("channel {id}"),
        Scope::Camera(id) => format!("camera {id}"),
    }
}
