//! Operations on cameras.

use oriel_api::{
    Caller, Camera, CameraCreate, CameraDelete, CameraId, CameraProbe, CameraRef, CameraUpdate,
    Change, ChannelId, Credentials, Empty, Error, ErrorCode, Page, Permission, ProbeReport,
    Quality, Result, Scope, StreamProfile,
};
use oriel_store::{CameraChange, NewCamera};
use tracing::{error, info, warn};

use crate::{
    Nvr,
    address::{self, Address, host_of, login},
    random,
};

fn profile(quality: Quality, url: String) -> StreamProfile {
    StreamProfile {
        quality,
        url,
        video: None,
        audio: None,
    }
}

fn low_address(text: &str) -> Result<Address> {
    Address::parse(text).map_err(|mut e| {
        e.message = format!("The smaller stream: {}", e.message);
        e
    })
}

/// `Some(None)` for empty text, which means none.
fn picture_address(text: Option<&str>) -> Result<Option<Option<Address>>> {
    match text.map(str::trim) {
        None => Ok(None),
        Some("") => Ok(Some(None)),
        Some(text) => Address::parse_picture(text).map(|a| Some(Some(a))),
    }
}

/// A login inside a snapshot address becomes the camera's, so it has to be for the same host: it
/// is sent to the streams too, and the camera's is sent nowhere else.
fn login_at_home(picture: Option<&Address>, hosts: &[&str]) -> Result<Option<Credentials>> {
    match picture {
        Some(a) if a.credentials.is_some() && !hosts.contains(&a.host.as_str()) => {
            Err(Error::invalid(
                "The snapshot address: It has a user name for another host than the camera's. \
                 Use an address on the camera itself.",
            ))
        }
        Some(a) => Ok(a.credentials.clone()),
        None => Ok(None),
    }
}

impl Nvr {
    pub(crate) async fn list_cameras(&self, caller: &Caller) -> Result<Page<Camera>> {
        let rows = self.store.cameras().await?;
        let seen = rows.iter().filter(|row| match &row.channel {
            Some(channel) => caller.sees(Permission::LiveView, channel),
            None => caller.may(Permission::LiveView, &Scope::System),
        });
        Ok(Page::all(seen.map(|r| self.camera_view(r)).collect()))
    }

    pub(crate) async fn get_camera(&self, input: CameraRef) -> Result<Camera> {
        Ok(self.camera_view(&self.camera_row(&input.id).await?))
    }

    pub(crate) async fn create_camera(&self, input: CameraCreate) -> Result<Camera> {
        let name = address::name(&input.name)?;
        let main = Address::parse(&input.url)?;
        let low = match input.low_url.as_deref().map(str::trim) {
            None | Some("") => None,
            Some(text) => Some(low_address(text)?),
        };
        let picture = picture_address(input.snapshot_url.as_deref())?.flatten();
        let hosts: Vec<_> = [Some(&main), low.as_ref()]
            .into_iter()
            .flatten()
            .map(|a| a.host.as_str())
            .collect();
        let by_picture = login_at_home(picture.as_ref(), &hosts)?;
        // Fields win over what stands in the address.
        let inside = main
            .credentials
            .or(low.as_ref().and_then(|l| l.credentials.clone()))
            .or(by_picture);
        let credentials = login(input.username, input.password)?.or(inside);
        let mut profiles = vec![profile(Quality::High, main.url)];
        profiles.extend(low.map(|l| profile(Quality::Low, l.url)));
        self.links()?;

        let _editing = self.editing.lock().await;
        let id = CameraId::from_random(random::bytes()?);
        let channel = ChannelId::from_random(random::bytes()?);
        // Secret first: a row without its secret could never connect, a secret without a row
        // is taken back here.
        if credentials.is_some() {
            self.logins.put(&id, credentials.clone()).await?;
        }
        let inserted = self
            .store
            .camera_insert(NewCamera {
                id: id.clone(),
                channel,
                name,
                profiles,
                snapshot_url: picture.map(|p| p.url),
                at: self.clock_now(),
            })
            .await;
        if let Err(refused) = inserted {
            if credentials.is_some() {
                self.put_back(&id, None).await;
            }
            return Err(refused.into());
        }
        let row = self.camera_row(&id).await?;
        info!(camera = %id, "camera added");
        if let Err(error) = self.apply(&row).await {
            warn!(camera = %id, %error, "the agent did not take a camera");
        }
        let camera = self.camera_view(&row);
        self.push(Change::Camera {
            camera: Box::new(camera.clone()),
        });
        if let Some(channel) = &row.channel {
            self.push_channel(channel).await;
        }
        Ok(camera)
    }

    /// Undoes a change of credentials after what it belonged to was refused.
    async fn put_back(&self, id: &CameraId, credentials: Option<Credentials>) {
        if let Err(cause) = self.logins.put(id, credentials).await {
            error!(camera = %id, %cause, "credentials could not be put back");
        }
    }

    /// The credentials a camera is to have after an update; `None` when they stay.
    fn changed_login(
        input: &CameraUpdate,
        inside: Option<Credentials>,
        kept: Option<&Credentials>,
    ) -> Result<Option<Option<Credentials>>> {
        let given = match (&input.username, &input.password) {
            // Empty text removes both.
            (Some(u), _) if u.is_empty() => return Ok(Some(None)),
            (None, None) => return Ok(inside.map(Some)),
            (Some(u), Some(p)) => login(Some(u.clone()), Some(p.clone()))?,
            (Some(u), None) => {
                let password = inside.or(kept.cloned()).map(|k| k.password);
                login(Some(u.clone()), password)?
            }
            (None, Some(p)) => {
                let username = inside.or(kept.cloned()).map(|k| k.username);
                login(username, Some(p.clone()))?
            }
        };
        Ok(Some(given))
    }

    pub(crate) async fn update_camera(&self, input: CameraUpdate) -> Result<Camera> {
        let name = input.name.as_deref().map(address::name).transpose()?;
        let main = input.url.as_deref().map(Address::parse).transpose()?;
        let low = match input.low_url.as_deref().map(str::trim) {
            None => None,
            Some("") => Some(None),
            Some(text) => Some(Some(low_address(text)?)),
        };
        let picture = picture_address(input.snapshot_url.as_deref())?;

        let _editing = self.editing.lock().await;
        let before = self.camera_row(&input.id).await?;
        let kept_host = |given: Option<&Address>, quality| match given {
            Some(address) => Some(address.host.clone()),
            None => before.profile(quality).and_then(|p| host_of(&p.url)),
        };
        let hosts = [
            kept_host(main.as_ref(), Quality::High),
            match &low {
                Some(None) => None,
                low => kept_host(low.iter().flatten().next(), Quality::Low),
            },
        ];
        let hosts: Vec<_> = hosts.iter().flatten().map(String::as_str).collect();
        let by_picture = login_at_home(picture.iter().flatten().next(), &hosts)?;
        let inside = main
            .as_ref()
            .and_then(|m| m.credentials.clone())
            .or(low.iter().flatten().find_map(|l| l.credentials.clone()))
            .or(by_picture);
        let touches_login =
            inside.is_some() || input.username.is_some() || input.password.is_some();
        let mut kept = None;
        let mut login = None;
        if touches_login {
            kept = self.logins.get(&input.id).await?;
            login = Self::changed_login(&input, inside, kept.as_ref())?.filter(|l| *l != kept);
        }
        let url_of = |q| before.profile(q).map(|p| p.url.as_str());
        let url = main
            .map(|m| m.url)
            .filter(|u| url_of(Quality::High) != Some(u));
        let low_url = low
            .map(|l| l.map(|l| l.url))
            .filter(|l| url_of(Quality::Low) != l.as_deref());
        let snapshot_url = picture
            .map(|p| p.map(|p| p.url))
            .filter(|p| *p != before.snapshot_url);
        let reconnect = url.is_some() || low_url.is_some() || login.is_some();
        let applies = reconnect || snapshot_url.is_some();
        let rolls_back = login.is_some();
        if let Some(login) = login {
            self.logins.put(&input.id, login).await?;
        }
        let change = CameraChange {
            name,
            url,
            low_url,
            snapshot_url,
            reconnect,
        };
        let row = match self.store.camera_update(input.id.clone(), change).await {
            Ok(row) => row,
            Err(refused) => {
                if rolls_back {
                    self.put_back(&input.id, kept).await;
                }
                return Err(refused.into());
            }
        };
        if applies && let Err(error) = self.apply(&row).await {
            warn!(camera = %row.id, %error, "the agent did not take a change");
        }
        let camera = self.camera_view(&row);
        self.push(Change::Camera {
            camera: Box::new(camera.clone()),
        });
        if let Some(channel) = row.channel.as_ref().filter(|_| row.name != before.name) {
            self.push_channel(channel).await;
        }
        Ok(camera)
    }

    pub(crate) async fn delete_camera(
        &self,
        caller: &Caller,
        input: CameraDelete,
    ) -> Result<Empty> {
        let links = self.links()?;
        let _editing = self.editing.lock().await;
        let row = self.camera_row(&input.id).await?;
        if input.delete_recordings {
            let scope = match &row.channel {
                Some(channel) => Scope::Channel(channel.clone()),
                None => Scope::System,
            };
            if !caller.may(Permission::RecordingsDelete, &scope) {
                return Err(Error::new(
                    ErrorCode::PermissionDenied,
                    "You are not allowed to delete recordings.",
                ));
            }
        }
        // Everything that can refuse comes before anything is lost.
        let kept = self.logins.get(&input.id).await?;
        links.agent.remove(&input.id).await?;
        let removed = async {
            // Before the row, which is the only thing that knows the secret's name.
            self.logins.put(&input.id, None).await?;
            let (id, purge) = (input.id.clone(), input.delete_recordings);
            Ok::<_, Error>(
                self.store
                    .camera_remove(id, purge, self.clock_now())
                    .await?,
            )
        };
        let channel = match removed.await {
            Ok(channel) => channel,
            Err(refused) => {
                self.put_back(&input.id, kept).await;
                if let Err(error) = self.apply(&row).await {
                    error!(camera = %row.id, %error, "a camera could not be started again");
                }
                return Err(refused);
            }
        };
        info!(camera = %input.id, footage = input.delete_recordings, "camera removed");
        self.states().removed(&row.id);
        if let Some(channel) = &channel {
            links.worker.channel_removed(channel);
        }
        self.push(Change::CameraRemoved {
            id: input.id.clone(),
        });
        if let Some(channel) = channel {
            self.push_channel(&channel).await;
        }
        // A clip that waited for its footage is made of what there is.
        self.jobs.wake.notify_one();
        self.garbage.notify_one();
        Ok(Empty {})
    }

    pub(crate) async fn probe_camera(&self, input: CameraProbe) -> Result<ProbeReport> {
        let at = Address::parse(&input.url)?;
        let mut credentials = login(input.username, input.password)?.or(at.credentials);
        if let (None, Some(id)) = (&credentials, &input.id) {
            let row = self.camera_row(id).await?;
            // Kept credentials go nowhere but to the host they were entered for.
            let same_host = row
                .profiles
                .iter()
                .any(|p| host_of(&p.url).as_ref() == Some(&at.host));
            if same_host {
                credentials = self.logins.get(id).await?;
            }
        }
        self.links()?.agent.probe(&at.url, credentials).await
    }
}
