//! Who is asking.

use crate::{ChannelId, Permission, Scope};

/// One right of a caller, for one channel or for all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The right.
    pub permission: Permission,
    /// The channel it is limited to; `None` is every channel and what belongs to no channel.
    pub channel: Option<ChannelId>,
}

/// An authenticated person or program. Made only where authentication happens.
#[derive(Clone, Debug)]
pub struct Caller {
    name: String,
    owner: bool,
    grants: Vec<Grant>,
}

impl Caller {
    /// The owner of this recorder: may do everything.
    pub fn owner() -> Self {
        Self {
            name: "owner".into(),
            owner: true,
            grants: Vec::new(),
        }
    }

    /// Somebody with exactly these grants.
    pub fn with_grants(name: impl Into<String>, grants: Vec<Grant>) -> Self {
        Self {
            name: name.into(),
            owner: false,
            grants,
        }
    }

    /// Nobody: only public operations.
    pub fn anonymous() -> Self {
        Self::with_grants("anonymous", Vec::new())
    }

    /// Whether nobody is signed in.
    pub fn is_anonymous(&self) -> bool {
        !self.owner && self.grants.is_empty()
    }

    /// Name for the audit log.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether this caller has the permission within the scope. A grant for one channel never
    /// covers the whole system or another channel.
    pub fn may(&self, permission: Permission, scope: &Scope) -> bool {
        if permission == Permission::Public || self.owner {
            return true;
        }
        self.grants.iter().any(|g| {
            g.permission == permission
                && match (&g.channel, scope) {
                    (None, _) => true,
                    (Some(granted), Scope::Channel(asked)) => granted == asked,
                    // A list is allowed to anyone with a grant on one channel; the
                    // implementation shows only what `sees` lets through.
                    (Some(_), Scope::List) => true,
                    (Some(_), Scope::System | Scope::Camera(_)) => false,
                }
        })
    }

    /// Whether a row of this channel may be shown in a list.
    pub fn sees(&self, permission: Permission, channel: &ChannelId) -> bool {
        self.may(permission, &Scope::Channel(channel.clone()))
    }
}
