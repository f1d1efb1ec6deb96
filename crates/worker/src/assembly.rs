//! Making one file of a range of a channel.

use std::sync::Arc;

use async_trait::async_trait;
use oriel_api::{
    ChannelId, Error, Quality, Result, Timestamp,
    link::{Assembled, AssemblyLink, AssemblyOrder, AssemblyProgress},
};

use crate::Worker;

#[async_trait]
impl AssemblyLink for Worker {
    async fn assemble(&self, _: AssemblyOrder, _: Arc<dyn AssemblyProgress>) -> Result<Assembled> {
        Err(Error::unavailable("Not built yet."))
    }

    async fn picture(&self, _: &ChannelId, _: Quality) -> Result<(Vec<u8>, Timestamp)> {
        Err(Error::unavailable("Not built yet."))
    }
}
