//! The stream of a client's connection.

use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::client::Client;
use super::phase::{Event, Phase};

/// A stream that reports to its client what happens on it.
#[derive(Debug)]
pub struct ClientStream<S: AsFd> {
    /// `None` only after [`into_inner`](ClientStream::into_inner).
    stream: Option<S>,
    client: Arc<Client>,
}

impl<S: AsFd> ClientStream<S> {
    pub(super) const fn new(stream: S, client: Arc<Client>) -> ClientStream<S> {
        ClientStream {
            stream: Some(stream),
            client,
        }
    }

    /// The stream itself, which is not watched any more.
    pub fn into_inner(mut self) -> io::Result<S> {
        self.stream
            .take()
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    // Private

    fn poll<T>(&mut self, what: impl FnOnce(Pin<&mut S>) -> Poll<io::Result<T>>) -> Poll<io::Result<T>>
    where
        S: Unpin,
    {
        match &mut self.stream {
            Some(stream) => what(Pin::new(stream)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// `written` as reported to the client.
    fn wrote(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.client.note(Event::Wrote);
        }
        written
    }
}

impl<S: AsyncRead + AsFd + Unpin> AsyncRead for ClientStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = self.poll(|stream| stream.poll_read(cx, buffer));
        if buffer.filled().len() > before {
            self.client.note(Event::Read);
        }
        read
    }
}

impl<S: AsyncWrite + AsFd + Unpin> AsyncWrite for ClientStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.poll(|stream| stream.poll_write(cx, bytes));
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.poll(|stream| stream.poll_write_vectored(cx, slices));
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.poll(|stream| stream.poll_flush(cx));
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.client.note(Event::Flushed);
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(|stream| stream.poll_shutdown(cx))
    }
}

impl<S: AsFd> Drop for ClientStream<S> {
    fn drop(&mut self) {
        if let (Some(stream), Phase::Answer { .. }) = (&self.stream, self.client.phase()) {
            // The client does not read. Without a reset, the kernel would keep the unread bytes for
            // it for minutes.
            let _set = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
    }
}
