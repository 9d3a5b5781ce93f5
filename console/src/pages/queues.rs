//! For who runs the product: the queues, how late their work is, and what failed too often.

use askama::Template;
use axum::response::Response;
use serde::Deserialize;

use crate::frame::{Frame, show as page};
use crate::guard::Operating;
use crate::trouble::Trouble;
use crate::words::{Count, Seconds, Word};

#[derive(Deserialize)]
struct Queues {
    items: Vec<Queue>,
}

#[derive(Deserialize)]
struct Queue {
    #[serde(rename = "queue")]
    name: Word,
    waiting: Count,
    in_flight: Count,
    delayed: Count,
    dead_letters: Count,
    late_seconds: Seconds,
}

#[derive(Template)]
#[template(path = "queues.html")]
struct Page {
    frame: Frame,
    queues: Vec<Queue>,
    /// Dead letters of all queues.
    dead: Count,
}

pub(crate) async fn show(operating: Operating) -> Result<Response, Trouble> {
    let queues = operating.ask.at::<Queues>("/v1/queues").await?.items;
    let dead = Count(queues.iter().map(|queue| queue.dead_letters.0).sum());
    let frame = Frame::of_operator(&operating, "/queues");
    page(&Page { frame, queues, dead })
}
