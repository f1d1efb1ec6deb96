//! Who is asking: the owner's bearer token, one-time links, browser sessions.
//!
//! Every secret here has 256 random bits, so nothing can be guessed; the bound on failures
//! keeps a loud guesser from costing anything. A valid secret always passes.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use oriel_api::{Caller, Error, ErrorCode, Secret, Timestamp};
use oriel_secrets::{SecretError, SecretStore};
use oriel_store::{SessionRow, StoreError};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{Nvr, random};

/// Key of the owner's token in the secret store.
pub const OWNER_TOKEN_KEY: &str = "owner-token";
/// A one-time link opens a session for so long.
pub const LINK_LIFETIME: Duration = Duration::from_secs(600);
/// A session that is not used ends after this.
pub const SESSION_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// A session's end is moved only when this much of its life is gone: one write a day.
const EXTEND_AFTER_MS: i64 = 24 * 3600 * 1000;
/// Links that can be open at a time; the oldest goes first.
const LINKS: usize = 16;
/// Failures within [`WINDOW_MS`] before further ones are told to wait.
const FAILURES: usize = 30;
const WINDOW_MS: i64 = 60_000;

/// Why somebody is not let in.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The token, link or session is not valid.
    #[error("Sign in first.")]
    Refused,
    /// Too many failures lately.
    #[error("Too many failed attempts. Try again in a minute.")]
    TooMany,
    /// Sessions cannot be read or kept.
    #[error("Sessions cannot be read now.")]
    Store(#[from] StoreError),
    /// The system gives no random bytes.
    #[error("No session can be made now.")]
    NoRandomness,
}

impl From<AuthError> for Error {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Refused => Error::new(ErrorCode::Unauthenticated, error.to_string()),
            AuthError::TooMany => Error::unavailable(error.to_string()),
            AuthError::Store(cause) => cause.into(),
            AuthError::NoRandomness => Error::internal(error),
        }
    }
}

/// A session as it was opened.
#[derive(Clone)]
pub struct Opened {
    /// Value of the cookie. A secret; it is kept nowhere.
    pub cookie: Secret,
    /// Value the page sends in its CSRF header.
    pub csrf: String,
    /// When it ends unless it is used.
    pub expires: Timestamp,
}

/// A session that is valid.
#[derive(Clone, Debug)]
pub struct Session {
    /// Who.
    pub caller: Caller,
    /// What its CSRF header must hold; compare with [`same`].
    pub csrf: String,
    /// When it ends unless it is used. When it moved, the cookie is to be sent again.
    pub expires: Timestamp,
    /// Whether this use moved its end.
    pub extended: bool,
}

/// Whether two texts are equal, in a time that does not tell where they differ.
pub fn same(a: &str, b: &str) -> bool {
    hash(a).ct_eq(&hash(b)).into()
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// The owner's token, made and kept when there is none. Blocks.
pub fn owner_token(secrets: &dyn SecretStore) -> Result<Secret, SecretError> {
    if let Some(token) = secrets.get(OWNER_TOKEN_KEY)? {
        return Ok(token);
    }
    let token = random::text().map_err(|_| SecretError::NoRandomness)?;
    let token = Secret::new(token);
    secrets.set(OWNER_TOKEN_KEY, &token)?;
    Ok(token)
}

/// Failures of the last minute.
#[derive(Default)]
struct Failures(VecDeque<i64>);

impl Failures {
    /// Notes a failure and says what to answer.
    fn note(&mut self, now: Timestamp) -> AuthError {
        while self
            .0
            .front()
            // A clock that was set back must not lock anybody out for longer.
            .is_some_and(|at| !(0..WINDOW_MS).contains(&now.ms().saturating_sub(*at)))
        {
            self.0.pop_front();
        }
        if self.0.len() >= FAILURES {
            return AuthError::TooMany;
        }
        self.0.push_back(now.ms());
        AuthError::Refused
    }
}

/// What is needed to let people in.
pub(crate) struct Doors {
    owner: [u8; 32],
    links: Mutex<HashMap<[u8; 32], Timestamp>>,
    failures: Mutex<Failures>,
}

impl Doors {
    pub(crate) fn new(owner: &Secret) -> Self {
        Self {
            owner: hash(owner.expose()),
            links: Mutex::default(),
            failures: Mutex::default(),
        }
    }

    fn failed(&self, now: Timestamp) -> AuthError {
        self.failures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .note(now)
    }
}

impl Nvr {
    /// The caller with this bearer token.
    pub fn authenticate_bearer(&self, token: &str) -> Result<Caller, AuthError> {
        if hash(token).ct_eq(&self.doors.owner).into() {
            Ok(Caller::owner())
        } else {
            Err(self.doors.failed(self.clock_now()))
        }
    }

    /// Code of a link that opens one session of the owner, once, within ten minutes.
    pub fn create_link(&self) -> oriel_api::Result<String> {
        let code = random::text()?;
        let now = self.clock_now();
        let ends = Timestamp::from_ms(now.ms() + LINK_LIFETIME.as_millis() as i64);
        let mut links = self
            .doors
            .links
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        links.retain(|_, ends| *ends > now);
        if links.len() >= LINKS
            && let Some(oldest) = links.iter().min_by_key(|(_, e)| **e).map(|(k, _)| *k)
        {
            links.remove(&oldest);
        }
        links.insert(hash(&code), ends);
        Ok(code)
    }

    /// Opens a session with the code of a link, which is used up.
    pub async fn open_link(&self, code: &str) -> Result<Opened, AuthError> {
        let now = self.clock_now();
        let ends = self
            .doors
            .links
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&hash(code));
        match ends {
            Some(ends) if ends > now => self.open_session().await,
            _ => Err(self.doors.failed(now)),
        }
    }

    /// Opens a session of the owner, for somebody who has shown another proof.
    pub async fn open_session(&self) -> Result<Opened, AuthError> {
        let now = self.clock_now();
        let cookie = random::text().map_err(|_| AuthError::NoRandomness)?;
        let id_hash = hash(&cookie);
        let expires = session_end(now);
        self.store
            .session_insert(SessionRow {
                id_hash,
                created: now,
                expires,
            })
            .await?;
        Ok(Opened {
            cookie: Secret::new(cookie),
            csrf: self.signer.derive("csrf", &id_hash),
            expires,
        })
    }

    /// The session with this cookie. Using it moves its end.
    pub async fn authenticate_session(&self, cookie: &str) -> Result<Session, AuthError> {
        let now = self.clock_now();
        let id_hash = hash(cookie);
        let Some(row) = self.store.session(id_hash, now).await? else {
            // An old cookie is what every browser has after a while, and no attempt at anything.
            return Err(AuthError::Refused);
        };
        let mut expires = row.expires;
        let extended = session_end(now).ms() - expires.ms() >= EXTEND_AFTER_MS;
        if extended {
            expires = session_end(now);
            self.store.session_extend(id_hash, expires).await?;
        }
        Ok(Session {
            caller: Caller::owner(),
            csrf: self.signer.derive("csrf", &id_hash),
            expires,
            extended,
        })
    }

    /// Ends the session with this cookie. Succeeds when there is none.
    pub async fn logout(&self, cookie: &str) -> Result<(), AuthError> {
        Ok(self.store.session_remove(hash(cookie)).await?)
    }
}

fn session_end(now: Timestamp) -> Timestamp {
    Timestamp::from_ms(now.ms() + SESSION_LIFETIME.as_millis() as i64)
}
