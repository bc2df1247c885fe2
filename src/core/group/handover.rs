//! How a group changes hands while both nodes are there: whether it should, and the token's way.

use super::facts::readiness;
use super::*;

impl Group {
    /// Moves towards the peer's token if it outranks this node's, and takes over a pending token
    /// once the disk has it.
    pub(super) fn follow_token(&mut self, cx: &Context, out: &mut Vec<Action>) -> bool {
        let stopped = self.phase == Phase::Stopped;
        // What is left of the token given away goes first.
        let ceding = matches!(self.phase, Phase::Ceding { .. });
        if let Some(theirs) = self.weightier(cx)
            && (stopped || (theirs.holder == cx.me() && !ceding))
            && self.pending.is_none_or(|p| p.token != theirs)
        {
            self.pending = Some(Pending {
                token: theirs,
                why: Why::Adopt,
            });
            self.contested = false;
            return true;
        }
        let Some(Pending {
            token,
            why: Why::Adopt,
        }) = self.pending
        else {
            return false;
        };
        if !(stopped || (token.holder == cx.me() && !ceding)) || !self.durable(cx, token) {
            return false;
        }
        let reason = if token.holder == cx.me() {
            Reason::Granted
        } else {
            Reason::HigherToken(token)
        };
        if token.holder == cx.me() && self.token.holder != cx.me() {
            self.limiter.moved(cx.now);
            // Handed over by a preferred node that could have kept it: an operator moved it.
            self.failback_held = self.peer_able_since.is_some()
                && cx.setup.failback != Failback::Manual
                && cx.setup.prefer == Some(cx.me().other());
        }
        self.own_token(token, reason, out);
        true
    }

    /// The peer's token, where it wins over this node's.
    pub(super) fn weightier(&self, cx: &Context) -> Option<Token> {
        let theirs = cx.report()?.token;
        outranks(theirs, self.token, cx.me()).then_some(theirs)
    }

    /// Whether, and why, the peer should have it; and whether the move limit applies.
    pub(super) fn wants_move(&self, cx: &Context) -> Option<(Reason, bool)> {
        if !self.peer_could(cx) {
            return None;
        }
        let report = cx.report()?;
        if report.readiness == Readiness::Barred {
            return None;
        }
        if self.operator_move {
            return Some((Reason::Operator, false));
        }
        let facts = self.facts_that_move(cx);
        let mine = readiness(&facts);
        // The limit never keeps a group where it reaches nobody.
        let serves = !facts
            .iter()
            .any(|f| matches!(f, Fact::NoCarrier(_) | Fact::GatewayLost(_)));
        // Of two that are not well, the one where nothing failed may still be able to run it.
        let theirs = (report.readiness, report.fail_count == 0);
        if theirs > (mine, !self.failing(cx)) {
            let worst = facts
                .iter()
                .max_by_key(|f| (f.is_hard(), matches!(f, Fact::Failures(_))));
            return worst.map(|f| (Reason::Fact(*f), mine != Readiness::Barred && serves));
        }
        let preferred = cx.setup.prefer == Some(cx.me().other());
        let due = match (cx.setup.failback, self.peer_able_since) {
            (Failback::After(span), Some(since)) => cx.now.since(since) >= span,
            _ => false,
        };
        (preferred && due && !self.failback_held && self.phase == Phase::Active)
            .then_some((Reason::Failback, true))
    }

    /// The peer is there, of one mind about the token, and runs nothing of the group.
    pub(super) fn peer_could(&self, cx: &Context) -> bool {
        cx.peer_alive()
            && !cx.sources.in_flight()
            && cx
                .report()
                .is_some_and(|r| r.token == self.token && r.proven_stopped && !r.contested)
    }

    /// The operator wants it moved; [`refusal`](Self::refusal) was asked before.
    pub fn move_by_operator(&mut self) {
        self.operator_move = true;
    }

    /// An operator's move is under way.
    pub fn moving(&self) -> bool {
        self.operator_move
    }

    /// Gives up an operator's move that takes too long.
    pub fn abandon_move(&mut self) {
        self.operator_move = false;
    }

    /// Why an operator's move cannot be, and what would help.
    pub fn refusal(&self, cx: &Context) -> Option<String> {
        let peer = &cx.node.names[cx.me().other() as usize];
        if self.token.holder != cx.me() {
            return Some(format!("{peer} holds it already"));
        }
        if self.phase == Phase::Failed {
            return Some("a stop failed here: repair it, then `ha-appliance clear`".into());
        }
        if cx.maintenance {
            return Some("maintenance is on: end it with `ha-appliance maintenance off`".into());
        }
        match cx.peer.state() {
            PeerState::Alive => {}
            PeerState::Refused => return Some(format!("{peer} is refused: {}", cx.peer.why().0)),
            state => return Some(format!("{peer} is {state}: it must be heard first")),
        }
        let Some(report) = cx.report() else {
            return Some(format!(
                "{peer} does not know this group: bring both ha.toml in line, then `ha-appliance reload`"
            ));
        };
        match report.readiness {
            Readiness::Barred => Some(format!(
                "{peer} may not run it: `ha-appliance online {peer}` ends a standby, `ha-appliance start` a stop"
            )),
            Readiness::Impaired if self.effective(cx) == Readiness::Able => Some(format!(
                "{peer} is worse off ({}): see `ha-appliance status` there; `ha-appliance clear` forgets failures",
                if report.fail_count > 0 {
                    format!("{} failures", report.fail_count)
                } else {
                    "gateway, carrier or state directory".into()
                }
            )),
            _ if report.role == Role::Failed => Some(format!(
                "a stop failed on {peer}: repair it, then `ha-appliance clear`"
            )),
            _ => None,
        }
    }

    pub(super) fn grant(&mut self, cx: &Context) {
        self.pending = Some(Pending {
            token: self.mint_for(cx.me().other(), cx),
            why: Why::Grant,
        });
    }

    pub(super) fn mint_for(&mut self, holder: Side, cx: &Context) -> Token {
        self.highest = mint(cx.me(), self.highest);
        Token {
            epoch: self.highest,
            holder,
        }
    }

    pub(super) fn own_token(&mut self, token: Token, reason: Reason, out: &mut Vec<Action>) {
        self.token = token;
        self.pending = None;
        self.decided = None;
        self.operator_move = false;
        out.push(self.report(Change::Token(token), reason));
    }

    /// The disk has it, or cannot have it: what is granted or followed all the same, because
    /// agreement protects against a node that forgets.
    pub(super) fn durable(&self, cx: &Context, token: Token) -> bool {
        self.on_disk(cx, token) || cx.unwritable
    }

    pub(super) fn on_disk(&self, cx: &Context, token: Token) -> bool {
        cx.saved.is_some_and(|saved| saved.token == token)
    }
}
