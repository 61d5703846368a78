//! Brings the number into the channel's name, again and again.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::{channel::Channel, counter::Counter, reach::Reach, template::Template};

/// A counter, and the channel that shows what it tells.
pub struct Updater {
    counter: Counter,
    reach: Reach,
    channel: Channel,
    template: Template,
    interval: Duration,
}

impl Updater {
    /// One that has done nothing yet. `reach` is the counter's.
    #[must_use]
    pub fn new(counter: Counter, reach: Reach, channel: Channel, template: Template, interval: Duration) -> Self {
        Self { counter, reach, channel, template, interval }
    }

    /// Takes turns for ever: at the interval, and whenever something that waited may go on.
    ///
    /// # Errors
    ///
    /// When Discord refuses the token.
    pub async fn run(mut self) -> anyhow::Result<()> {
        loop {
            let next = self.turn().await?;
            sleep_until(next).await;
        }
    }

    /// Reads the number and shows it. Returns when the next turn is.
    async fn turn(&mut self) -> anyhow::Result<Instant> {
        self.channel.learn().await?;
        let text = self.read().await;
        self.channel.show(text.as_deref()).await?;
        let regular = Instant::now() + self.interval;
        let waits = [self.reach.opens(), self.channel.waits_until()];
        Ok(waits.into_iter().flatten().fold(regular, Instant::min))
    }

    async fn read(&mut self) -> Option<String> {
        match self.counter.read().await {
            Ok(count) => {
                self.reach.answered();
                Some(self.template.render(count))
            }
            Err(error) => {
                self.reach.away(format!("{:#}", anyhow::Error::from(error)));
                None
            }
        }
    }
}
