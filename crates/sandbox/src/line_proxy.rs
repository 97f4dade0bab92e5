//! A line that goes wrong: a TCP proxy on loopback between somebody and whom he calls.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use url::Url;

/// What the line does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LineMode {
    /// It carries everything.
    #[default]
    Open,
    /// It refuses connections; those that stood are cut.
    Refused,
    /// It carries each piece this much later, in either direction.
    Delayed(Duration),
    /// It cuts a connection once it has carried so many bytes of the answers on it; 0 cuts before
    /// the first one.
    CutAfter(u64),
}

/// Carries TCP connections to one target, or fails to.
#[derive(Debug)]
pub struct LineProxy {
    address: SocketAddr,
    commands: mpsc::Sender<Command>,
    task: Mutex<Option<JoinHandle<()>>>,
    carried: Arc<AtomicU64>,
}

enum Command {
    Mode(LineMode, oneshot::Sender<()>),
    Cut(oneshot::Sender<()>),
    Stop,
}

impl LineProxy {
    /// A line on a free port of loopback.
    ///
    /// # Errors
    /// Where there is no port.
    pub async fn start(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (commands, received) = mpsc::channel(8);
        let carried = Arc::new(AtomicU64::new(0));
        let line = Line {
            address,
            target,
            mode: watch::Sender::new(LineMode::Open),
            connections: JoinSet::new(),
            carried: Arc::clone(&carried),
        };
        Ok(Self {
            address,
            commands,
            task: Mutex::new(Some(tokio::spawn(line.run(listener, received)))),
            carried,
        })
    }

    /// Where to connect.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same address as `url`, but through this line.
    #[must_use]
    pub fn through(&self, url: &Url) -> Url {
        through(self.address, url)
    }

    /// How many connections the line has carried, or begun to.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }

    /// Switches the line; done when it has taken effect, also on connections that stand. A piece
    /// that is being delayed arrives as late as it was to.
    pub async fn set_mode(&self, mode: LineMode) {
        self.command(|done| Command::Mode(mode, done)).await;
    }

    /// Cuts the connections that stand now; new ones are carried as before.
    pub async fn cut_now(&self) {
        self.command(Command::Cut).await;
    }

    /// Cuts everything and gives the port back.
    pub async fn stop(&self) {
        // A line that has ended by itself takes no command, and needs none.
        let _ = self.commands.send(Command::Stop).await;
        let task = self
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(task) = task {
            let _ = task.await;
        }
    }

    async fn command(&self, command: impl FnOnce(oneshot::Sender<()>) -> Command) {
        let (done, taken) = oneshot::channel();
        if self.commands.send(command(done)).await.is_ok() {
            let _ = taken.await;
        }
    }
}

/// The same address as `url`, but at another place.
pub(crate) fn through(place: SocketAddr, url: &Url) -> Url {
    let mut through = url.clone();
    // Neither can fail: an http address takes any host and port.
    let _ = through.set_ip_host(place.ip());
    let _ = through.set_port(Some(place.port()));
    through
}

struct Line {
    address: SocketAddr,
    target: SocketAddr,
    mode: watch::Sender<LineMode>,
    connections: JoinSet<()>,
    carried: Arc<AtomicU64>,
}

/// The port, listening or only held so that nobody else gets it meanwhile.
enum Port {
    Open(TcpListener),
    Held(TcpSocket),
}

impl Line {
    /// Ends when it is stopped or its handle is gone.
    async fn run(mut self, listener: TcpListener, mut commands: mpsc::Receiver<Command>) {
        let mut port = Port::Open(listener);
        loop {
            let command = match &port {
                Port::Held(_) => commands.recv().await,
                Port::Open(listener) => tokio::select! {
                    command = commands.recv() => command,
                    Some(_) = self.connections.join_next() => continue,
                    accepted = listener.accept() => {
                        match accepted {
                            Ok((near, _)) => self.carry(near),
                            Err(error) => tracing::warn!(%error, "the line took no connection"),
                        }
                        continue;
                    }
                },
            };
            match command {
                None | Some(Command::Stop) => return,
                Some(Command::Cut(done)) => {
                    self.connections.shutdown().await;
                    let _ = done.send(());
                }
                Some(Command::Mode(mode, done)) => {
                    self.mode.send_replace(mode);
                    let switched = if mode == LineMode::Refused {
                        self.connections.shutdown().await;
                        self.hold(port)
                    } else {
                        open(port)
                    };
                    port = match switched {
                        Ok(port) => port,
                        Err(error) => {
                            tracing::error!(%error, "the line lost its port");
                            return;
                        }
                    };
                    let _ = done.send(());
                }
            }
        }
    }

    /// A socket that is bound but does not listen: connections to it are refused.
    fn hold(&self, port: Port) -> io::Result<Port> {
        if matches!(port, Port::Held(_)) {
            return Ok(port);
        }
        drop(port);
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(self.address)?;
        Ok(Port::Held(socket))
    }

    fn carry(&mut self, near: TcpStream) {
        self.carried.fetch_add(1, Ordering::Relaxed);
        let (target, mode) = (self.target, self.mode.subscribe());
        self.connections.spawn(async move {
            let Ok(far) = TcpStream::connect(target).await else {
                return;
            };
            let _ = (near.set_nodelay(true), far.set_nodelay(true));
            let (near_read, near_write) = near.into_split();
            let (far_read, far_write) = far.into_split();
            // Whichever direction ends first ends both: the line knows no half-closed ones.
            tokio::select! {
                () = copy(near_read, far_write, mode.clone(), false) => {}
                () = copy(far_read, near_write, mode, true) => {}
            }
        });
    }
}

fn open(port: Port) -> io::Result<Port> {
    Ok(match port {
        Port::Held(socket) => Port::Open(socket.listen(1024)?),
        open @ Port::Open(_) => open,
    })
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mode: watch::Receiver<LineMode>,
    is_answer: bool,
) {
    let mut buffer = vec![0; 16 * 1024];
    let mut carried = 0_u64;
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        let mode = *mode.borrow();
        let mut piece = &buffer[..count];
        match mode {
            LineMode::Delayed(by) => tokio::time::sleep(by).await,
            LineMode::CutAfter(limit) if is_answer => {
                let left = usize::try_from(limit.saturating_sub(carried)).unwrap_or(usize::MAX);
                piece = &piece[..left.min(count)];
            }
            LineMode::Open | LineMode::Refused | LineMode::CutAfter(_) => {}
        }
        carried += piece.len() as u64;
        if to.write_all(piece).await.is_err() || piece.len() < count {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use banyan_client::CallFault;

    use super::*;
    use crate::testing::{FakePlatform, citizens, http, mzt_at};

    #[tokio::test]
    async fn a_line_carries_refuses_cuts_delays_and_recovers() {
        let platform = FakePlatform::start().await;
        let line = LineProxy::start(platform.address()).await.unwrap();
        let url = line.through(&platform.url());
        let mzt = mzt_at(&url, http(Duration::from_secs(1)));
        let citizen = citizens(1).remove(0);
        let asked = async || match mzt.query(&citizen).await {
            Ok(_) => "answered",
            Err(crate::PartnerFault::Call(fault)) => match fault {
                CallFault::Connect(_) => "refused",
                CallFault::Http(_) => "cut",
                CallFault::Timeout => "late",
                _ => "else",
            },
            Err(_) => "else",
        };

        assert_eq!(asked().await, "answered");
        line.set_mode(LineMode::Refused).await;
        assert_eq!(asked().await, "refused");
        line.set_mode(LineMode::CutAfter(40)).await;
        assert_eq!(asked().await, "cut");
        line.set_mode(LineMode::CutAfter(0)).await;
        assert_eq!(asked().await, "cut");
        line.set_mode(LineMode::Delayed(Duration::from_secs(5)))
            .await;
        assert_eq!(asked().await, "late");
        line.set_mode(LineMode::Open).await;
        assert_eq!(asked().await, "answered");
        line.cut_now().await;
        assert_eq!(asked().await, "answered");
        assert!(line.connections() >= 5);

        line.stop().await;
        assert_eq!(asked().await, "refused");
        platform.stop().await;
    }
}
