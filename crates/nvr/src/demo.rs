//! Demonstration cameras: offered, never forced.

use oriel_api::{Camera, CameraCreate, DemoCamera, Page, Quality, Result, Secret};

use crate::{Nvr, address::Address};

/// A demonstration camera this recorder was started with.
#[derive(Clone, Debug)]
pub struct DemoSetup {
    /// Name.
    pub name: String,
    /// Address of the main stream.
    pub url: String,
    /// Address of the smaller stream.
    pub low_url: Option<String>,
    /// User name.
    pub username: String,
    /// Password.
    pub password: Secret,
}

impl Nvr {
    async fn cameras_by_url(&self) -> Result<Vec<(String, oriel_store::CameraRow)>> {
        let rows = self.store.cameras().await?;
        Ok(rows
            .into_iter()
            .filter_map(|row| Some((row.profile(Quality::High)?.url.clone(), row)))
            .collect())
    }

    pub(crate) async fn list_demo(&self) -> Result<Page<DemoCamera>> {
        let known = self.cameras_by_url().await?;
        let mut items = Vec::new();
        for demo in &self.options.demo {
            let url = Address::parse(&demo.url)?.url;
            items.push(DemoCamera {
                name: demo.name.clone(),
                added: known.iter().any(|(u, _)| *u == url),
                url,
            });
        }
        Ok(Page::all(items))
    }

    /// Adds those that are not there yet and gives all of them.
    pub(crate) async fn add_demo(&self) -> Result<Page<Camera>> {
        let mut items = Vec::new();
        for demo in &self.options.demo {
            let url = Address::parse(&demo.url)?.url;
            let known = self.cameras_by_url().await?;
            if let Some((_, row)) = known.iter().find(|(u, _)| *u == url) {
                items.push(self.camera_view(row));
                continue;
            }
            let camera = CameraCreate {
                name: demo.name.clone(),
                url: demo.url.clone(),
                low_url: demo.low_url.clone(),
                snapshot_url: None,
                username: Some(demo.username.clone()),
                password: Some(demo.password.clone()),
            };
            items.push(self.create_camera(camera).await?);
        }
        Ok(Page::all(items))
    }
}
