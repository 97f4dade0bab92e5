//! Ways in which a hospital's server goes wrong, switched on and off while it runs.

use std::time::Duration;

use tokio::sync::watch;

/// What a simulated hospital does instead of answering well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    /// Nothing: it answers well.
    #[default]
    None,
    /// It takes the request and never answers; the connection ends when the fault is switched.
    Hang,
    /// It answers well, this much later.
    Delay(Duration),
    /// A gateway before it answers with this HTTP status; its ledger learns nothing.
    Status(u16),
    /// It answers 200 with something that is no JSON.
    Garbage,
    /// It signs with another secret.
    WrongSignature,
    /// It answers with a plain envelope, as in the guide's 4.4.1.4.
    PlainEnvelope,
    /// It answers with the single-layer object of the guide's 4.4.1.4.
    BareObject,
    /// It refuses with a respCode other than 000000.
    Refuse,
    /// It answers `state=fail`, which ORG_001 does not even know.
    FailState,
    /// It takes the request and closes the connection.
    CloseConnection,
}

impl Fault {
    /// Whether the hospital has taken the message in, although its caller may not learn so: the
    /// cases in which a repetition must have no second effect.
    pub(crate) const fn takes_effect(self) -> bool {
        match self {
            Self::None
            | Self::Hang
            | Self::Delay(_)
            | Self::Garbage
            | Self::WrongSignature
            | Self::PlainEnvelope
            | Self::BareObject
            | Self::CloseConnection => true,
            Self::Status(_) | Self::Refuse | Self::FailState => false,
        }
    }
}

/// The fault that is on, and how often it was played.
#[derive(Debug)]
pub(crate) struct FaultSwitch {
    state: watch::Sender<State>,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    fault: Fault,
    /// Goes up with each switching, so that the same fault switched on again counts anew.
    switched: u64,
    played: u64,
}

impl FaultSwitch {
    pub(crate) fn new() -> Self {
        Self {
            state: watch::Sender::new(State::default()),
        }
    }

    pub(crate) fn set(&self, fault: Fault) {
        self.state.send_modify(|state| {
            *state = State {
                fault,
                switched: state.switched + 1,
                played: 0,
            };
        });
    }

    /// The fault to play now, counted; and a wait for the moment when it is switched.
    pub(crate) fn play(&self) -> (Fault, impl Future<Output = ()> + Send + use<>) {
        let (mut fault, mut switched) = (Fault::None, 0);
        self.state.send_modify(|state| {
            if state.fault != Fault::None {
                state.played += 1;
            }
            (fault, switched) = (state.fault, state.switched);
        });
        let state = self.state.subscribe();
        let switching =
            crate::http_server::until(state, move |state: &State| state.switched != switched);
        (fault, switching)
    }

    pub(crate) fn played(&self) -> u64 {
        self.state.borrow().played
    }

    pub(crate) async fn wait_for_played(&self, count: u64, timeout: Duration) -> bool {
        let mut state = self.state.subscribe();
        let waiting = state.wait_for(|state| state.played >= count);
        matches!(tokio::time::timeout(timeout, waiting).await, Ok(Ok(_)))
    }
}
