//! Reading bodies of requests, of strangers too: each bounded in length and time, and all of them
//! together in the memory that they take.

use std::pin::pin;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::error::Elapsed;

/// A body that takes longer is not coming; one of the greatest length takes three seconds on the
/// slowest of hospital networks.
const PATIENCE: Duration = Duration::from_secs(30);

/// How much beyond the limit is read only to be thrown away.
const DRAINED_BYTES: usize = 32 << 20;

/// Room for the bodies of all calls under way.
#[derive(Debug)]
pub struct BodyRoom(Semaphore);

/// A body that was read, and the room that it takes until it is dropped.
#[derive(Debug)]
pub struct ReadBody<'a> {
    /// All of it.
    pub bytes: Bytes,
    /// The room, for whoever takes the bytes out.
    pub room: SemaphorePermit<'a>,
}

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// It is longer than the limit.
    TooLong,
    /// The client went away in the middle of it, or took too long.
    NotWhole,
    /// There is no room for it now.
    NoRoom,
}

impl BodyRoom {
    /// Room for so many bytes.
    #[must_use]
    pub const fn new(bytes: usize) -> Self {
        Self(Semaphore::const_new(bytes))
    }

    /// The whole of a body of at most `limit` bytes. Room is taken as it comes in, so that nobody
    /// takes any by merely announcing a body.
    ///
    /// What is too long is read to its end, if that is not too far, and thrown away: a client that
    /// is still sending when the connection closes sees a broken line instead of the answer.
    ///
    /// # Errors
    /// See [`Unread`].
    pub async fn read(&self, body: Body, limit: usize) -> Result<ReadBody<'_>, Unread> {
        self.read_within(body, limit, PATIENCE).await
    }

    async fn read_within(
        &self,
        body: Body,
        limit: usize,
        patience: Duration,
    ) -> Result<ReadBody<'_>, Unread> {
        within(patience, self.collect(body, limit))
            .await
            .unwrap_or(Err(Unread::NotWhole))
    }

    async fn collect(&self, mut body: Body, limit: usize) -> Result<ReadBody<'_>, Unread> {
        let none = self.0.try_acquire_many(0);
        let mut room = none.map_err(|_| Unread::NoRoom)?;
        let mut whole: Vec<u8> = Vec::new();
        let mut length = 0;
        let mut fault = None;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Unread::NotWhole)?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            length += data.len();
            if length > limit {
                fault = Some(Unread::TooLong);
            }
            if fault.is_some() {
                whole = Vec::new();
                if length > limit + DRAINED_BYTES {
                    break;
                }
                continue;
            }
            let more = u32::try_from(data.len()).ok();
            match more.and_then(|more| self.0.try_acquire_many(more).ok()) {
                Some(more) => room.merge(more),
                None => {
                    fault = Some(Unread::NoRoom);
                    continue;
                }
            }
            // A body of one frame, which nearly all are, is taken as it is.
            if whole.is_empty() && body.is_end_stream() {
                return Ok(ReadBody { bytes: data, room });
            }
            whole.extend_from_slice(&data);
        }
        match fault {
            Some(fault) => Err(fault),
            None => Ok(ReadBody {
                bytes: whole.into(),
                room,
            }),
        }
    }
}

/// What comes within this time. Nearly all of it is there at once, and then no clock is asked.
///
/// # Errors
/// Where it does not.
pub async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Result<T, Elapsed> {
    let mut work = pin!(work);
    match (&mut work).now_or_never() {
        Some(done) => Ok(done),
        None => tokio::time::timeout(limit, work).await,
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http_body::Frame;

    use super::*;

    /// A body of no said length: so many bytes in pieces of one, and perhaps no end.
    struct Pieces {
        left: usize,
        ends: bool,
    }

    impl axum::body::HttpBody for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            if self.left > 0 {
                self.left -= 1;
                return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"1")))));
            }
            if self.ends {
                Poll::Ready(None)
            } else {
                Poll::Pending
            }
        }
    }

    fn pieces(left: usize) -> Body {
        Body::new(Pieces { left, ends: true })
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit() {
        let room = BodyRoom::new(1_000);
        assert_eq!(room.read(Body::from("12"), 2).await.unwrap().bytes, "12");
        assert_eq!(room.read(pieces(3), 3).await.unwrap().bytes, "111");
        assert_eq!(room.read(Body::empty(), 0).await.unwrap().bytes, "");
        for long in [Body::from("123"), pieces(3)] {
            assert_eq!(room.read(long, 2).await.unwrap_err(), Unread::TooLong);
        }
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_not_waited_for() {
        let endless = Body::new(Pieces {
            left: 1,
            ends: false,
        });
        let room = BodyRoom::new(10);
        let read = room.read_within(endless, 5, Duration::from_millis(10));
        assert_eq!(read.await.unwrap_err(), Unread::NotWhole);
        assert_eq!(room.0.available_permits(), 10, "it takes no room any more");
    }

    #[tokio::test]
    async fn there_is_room_for_so_many_bytes_and_it_comes_back() {
        let room = BodyRoom::new(10);
        let first = room.read(Body::from("123456"), 10).await.unwrap();
        let second = room.read(pieces(4), 10).await.unwrap();
        for more in [Body::from("1"), pieces(1)] {
            assert_eq!(room.read(more, 10).await.unwrap_err(), Unread::NoRoom);
        }
        assert!(
            room.read(Body::empty(), 10).await.is_ok(),
            "a question needs none"
        );
        drop(first);
        assert!(room.read(Body::from("123456"), 10).await.is_ok());
        drop(second);
        assert_eq!(room.0.available_permits(), 10);
    }

    #[tokio::test]
    async fn what_is_refused_is_read_to_its_end() {
        let room = BodyRoom::new(1);
        let (sender, receiver) = tokio::sync::oneshot::channel();
        struct Told(Pieces, Option<tokio::sync::oneshot::Sender<()>>);
        impl axum::body::HttpBody for Told {
            type Data = Bytes;
            type Error = Infallible;
            fn poll_frame(
                mut self: Pin<&mut Self>,
                context: &mut Context<'_>,
            ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
                let frame = Pin::new(&mut self.0).poll_frame(context);
                if matches!(frame, Poll::Ready(None))
                    && let Some(sender) = self.1.take()
                {
                    let _told = sender.send(());
                }
                frame
            }
        }
        let long = Told(
            Pieces {
                left: 9,
                ends: true,
            },
            Some(sender),
        );
        assert_eq!(
            room.read(Body::new(long), 9).await.unwrap_err(),
            Unread::NoRoom
        );
        receiver.await.unwrap();
    }
}
