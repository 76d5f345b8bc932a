//! The end: what is under way is given a little time, then left.

use std::time::Duration;

use super::Supervisor;
use crate::export::{STOPPED, abandon};
use crate::supervisor::machine::Event;

/// How long closing the connection may take at the end; the operating system closes it all the same.
const CLOSE: Duration = Duration::from_millis(250);

impl Supervisor {
    pub(super) async fn drain(mut self, limit: Duration) {
        self.on(Event::Stop);
        self.tell();
        if let Some(mut pass) = self.pass.take()
            && tokio::time::timeout(limit, &mut pass).await.is_err()
        {
            pass.abort();
            // It lets the connection go.
            let _late = tokio::time::timeout(CLOSE, pass).await;
            abandon(&self.status, None, STOPPED);
        }
        if let Ok(mut connection) = self.link_to.try_lock()
            && let Some(target) = connection.target.take()
        {
            let _late = tokio::time::timeout(CLOSE, target.close()).await;
        }
    }
}
