//! Stopping in phases, each with a budget.

use std::{future::Future, pin::Pin, time::Duration};

use tracing::{info, warn};

/// One step of stopping.
pub struct Phase {
    /// Name for the log.
    pub name: &'static str,
    /// It is abandoned after this.
    pub budget: Duration,
    /// What it does.
    pub work: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Phase {
    /// A step.
    pub fn new(
        name: &'static str,
        budget: Duration,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        Self {
            name,
            budget,
            work: Box::pin(work),
        }
    }
}

/// Runs the phases in order. Returns the names of those that did not finish in time.
pub async fn shutdown(phases: Vec<Phase>) -> Vec<&'static str> {
    let mut late = Vec::new();
    for phase in phases {
        match tokio::time::timeout(phase.budget, phase.work).await {
            Ok(()) => info!(phase = phase.name, "done"),
            Err(_) => {
                warn!(phase = phase.name, "took too long and was abandoned");
                late.push(phase.name);
            }
        }
    }
    late
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stuck_phase_does_not_hold_the_others() {
        let (tx, mut rx) = tokio::sync::mpsc::channel(2);
        let late = shutdown(vec![
            Phase::new("stuck", Duration::from_secs(1), std::future::pending()),
            Phase::new("next", Duration::from_secs(1), async move {
                tx.send(()).await.unwrap()
            }),
        ])
        .await;
        assert_eq!(late, ["stuck"]);
        assert!(rx.try_recv().is_ok());
    }
}
