//! How many days of footage will be held.

use oriel_api::{Error, Forecast, ForecastQuery, Result};

use crate::Nvr;

impl Nvr {
    pub(crate) async fn forecast(&self, _: ForecastQuery) -> Result<Forecast> {
        Err(Error::unavailable("Not built yet."))
    }
}
