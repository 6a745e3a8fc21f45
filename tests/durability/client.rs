//! One request of the load: how it ends, within which time, and what that adds up to.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use reqwest::RequestBuilder;
use serde_json::Value;
use tokio::time::timeout;

/// What came of a request.
pub(super) enum Answer {
    Done(Value),
    /// Nothing was done.
    Refused,
    /// It may have been done.
    NotKnown,
}

/// Why there is no such answer. What was asked stays in doubt.
pub(super) enum Lost {
    /// The gateway is gone.
    Gone,
    /// It has failed, says so, and is about to end.
    Failed,
}

/// What all requests came to so far, and how long each may take.
#[derive(Clone)]
pub(super) struct Tally {
    pub acknowledged: Arc<AtomicUsize>,
    pub refused: Arc<AtomicUsize>,
    longest: Duration,
}

impl Tally {
    pub fn new(longest: Duration) -> Self {
        Self { acknowledged: Arc::default(), refused: Arc::default(), longest }
    }

    /// The answer to a request for a change.
    pub async fn change(&self, request: RequestBuilder) -> Result<Answer, Lost> {
        let answer = self.ask(request).await?;
        if let Answer::Done(_) = answer {
            self.acknowledged.fetch_add(1, Relaxed);
        }
        Ok(answer)
    }

    /// The answer to a request.
    pub async fn ask(&self, request: RequestBuilder) -> Result<Answer, Lost> {
        let whole = async {
            let response = request.send().await.map_err(|_| Lost::Gone)?;
            let status = response.status().as_u16();
            let retry = response.headers().contains_key("retry-after");
            let answer: Value = response.json().await.map_err(|_| Lost::Gone)?;
            Ok((status, retry, answer))
        };
        let Ok(answered) = timeout(self.longest, whole).await else {
            panic!("no answer in {:?}", self.longest);
        };
        let (status, retry, answer) = answered?;
        match status {
            200 | 201 => Ok(Answer::Done(answer)),
            503 => {
                assert!(retry, "a refusal says when to try again: {answer}");
                self.refused.fetch_add(1, Relaxed);
                let reason = answer["reason"].as_str().unwrap_or_default();
                Ok(if reason.contains("not known") { Answer::NotKnown } else { Answer::Refused })
            }
            500 => Err(Lost::Failed),
            _ => panic!("{status}: {answer}"),
        }
    }
}
