//! The Battlesnake API over HTTP.

use std::cmp::Ordering::Equal;
use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::signal::unix::{SignalKind, signal};

use snake_engine::search::Decision;

use crate::api::{self, MOVES, Request};
use crate::decision::Question;
use crate::gamelog::GameLog;
use crate::model::{Verdict, best_move};
use crate::network::Network;
use crate::pace::{self, Pace};
use crate::roster::Roster;
use crate::thinking::Thinking;
use crate::worker::Worker;

/// The largest request that is read; those of the largest official boards stay below 100 KB.
const MOST_BODY: usize = 4 << 20;
/// How long a request's head or body may take.
const READING: Duration = Duration::from_secs(10);
/// How long requests in flight are waited for at the end.
const DRAIN: Duration = Duration::from_millis(800);
/// What of the time for a searched move the network may take.
const NETWORK_SHARE: u32 = 3;
/// Between two looks at the model's file.
const WATCH: Duration = Duration::from_secs(5);

const ABOUT: &str =
    r##"{"apiversion":"1","author":"ouroboros","color":"#7a3e9d","head":"evil","tail":"hook","version":"1.0.0"}"##;

type Answer = Result<String, (StatusCode, String)>;

/// What the server answers with.
pub struct Server {
    /// None: there is no network.
    pub network: Option<Arc<Network>>,
    /// None: moves are the network's first choice.
    pub thinking: Option<Arc<Thinking>>,
    /// What of a game's time-out is thought at most; 0: as long as the budgets last.
    pub time_share: f64,
    /// None: games are not kept.
    pub games: Option<Arc<GameLog>>,
    /// What of a game's time-out is left to the network between us and the game server.
    pub margin: Duration,
    /// Whether every move is told on stderr.
    pub verbose: bool,
    pub roster: Mutex<Roster>,
    pub pace: Mutex<Pace>,
}

/// What was decided, and how it was found in words.
type Found = (Decision, String);

impl Server {
    /// Answers until SIGTERM or SIGINT, then finishes the requests in flight.
    ///
    /// # Errors
    /// The listener or the signals cannot be used.
    pub async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (server, open) = (Arc::new(self), GracefulShutdown::new());
        eprintln!("listening on {}", listener.local_addr()?);
        let mut watch = tokio::time::interval(WATCH);
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => server.clone().talk(stream, &open),
                    // Out of file handles, or a caller gone already: neither ends the server.
                    Err(error) => {
                        eprintln!("rust-snake: a connection was not accepted: {error}");
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                },
                _ = watch.tick() => drop(tokio::spawn(server.clone().look_for_another_network())),
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
            }
        }
        drop(listener);
        let _ = tokio::time::timeout(DRAIN, open.shutdown()).await; // who has not finished by then is cut off
        Ok(())
    }

    fn talk(self: Arc<Self>, stream: tokio::net::TcpStream, open: &GracefulShutdown) {
        let _ = stream.set_nodelay(true); // only slower without
        let service = service_fn(move |request| {
            let server = self.clone();
            async move { Ok::<_, Infallible>(server.respond(request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_mins(5)) // between requests, too
            .serve_connection(TokioIo::new(stream), service);
        let watched = open.watch(connection);
        tokio::spawn(async move {
            let _ = watched.await; // a caller that has gone away needs no answer
        });
    }

    async fn respond(&self, request: hyper::Request<Incoming>) -> Response<Full<Bytes>> {
        let received = Instant::now();
        let answer = match (request.method(), request.uri().path()) {
            (&Method::GET, "/") => Ok(ABOUT.to_owned()),
            (&Method::POST, "/start" | "/move" | "/end") => self.play(request, received).await,
            (&Method::POST, "/reload") => self.reload().await,
            (_, "/" | "/start" | "/move" | "/end" | "/reload") => {
                Err((StatusCode::METHOD_NOT_ALLOWED, "wrong method".into()))
            }
            _ => Err((StatusCode::NOT_FOUND, "there is GET /, POST /start, /move, /end and /reload".into())),
        };
        let (status, kind, text) = match answer {
            Ok(text) => (StatusCode::OK, "application/json", text),
            Err((status, why)) => (status, "text/plain; charset=utf-8", why),
        };
        let mut response = Response::new(Full::from(text));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        response
    }

    /// Loads the model's file now, where it was replaced, and tells which network plays the games that begin from now on.
    async fn reload(&self) -> Answer {
        let network = self.network.clone().ok_or((StatusCode::CONFLICT, "there is no model".to_owned()))?;
        let refreshing = network.clone();
        let happened = tokio::task::spawn_blocking(move || refreshing.refresh_now()).await;
        match happened {
            Ok(Err(why)) => Err((StatusCode::CONFLICT, why)),
            Err(error) => Err((StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
            Ok(Ok(())) => {
                let model = network.current().map(|worker| worker.card.model_id.clone());
                serde_json::to_string(&serde_json::json!({ "model": model }))
                    .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
            }
        }
    }

    /// Takes a new champion into service, and one that broke down again, without anybody asking.
    async fn look_for_another_network(self: Arc<Self>) {
        let Some(network) = self.network.clone() else { return };
        match tokio::task::spawn_blocking(move || network.refresh()).await {
            Ok(Some(Ok(told))) => eprintln!("{told}"),
            Ok(Some(Err(why))) => eprintln!("rust-snake: {why}"),
            Ok(None) => {}
            Err(error) => eprintln!("rust-snake: the model was not looked after: {error}"),
        }
    }

    async fn play(&self, request: hyper::Request<Incoming>, received: Instant) -> Answer {
        let command = request.uri().path().to_owned();
        let body = tokio::time::timeout(READING, Limited::new(request.into_body(), MOST_BODY).collect())
            .await
            .map_err(|_| (StatusCode::REQUEST_TIMEOUT, "the body did not come".to_owned()))?
            .map_err(|error| (StatusCode::PAYLOAD_TOO_LARGE, format!("the body could not be read: {error}")))?;
        let request = api::read(&body.to_bytes()).map_err(|why| (StatusCode::BAD_REQUEST, why))?;
        match command.as_str() {
            "/start" => self.start(&request),
            "/move" => return self.choose(&request, received).await,
            _ => self.end(request).await,
        }
        Ok("{}".to_owned())
    }

    fn seats(&self, request: &Request) -> usize {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner).seats(request, Instant::now())
    }

    /// The network that plays the request's game.
    fn worker(&self, request: &Request) -> Option<Arc<Worker>> {
        let current = self.network.as_ref()?.current();
        self.roster.lock().unwrap_or_else(PoisonError::into_inner).worker(request, current)
    }

    fn model_id(&self, request: &Request) -> String {
        self.worker(request).map_or_else(String::new, |worker| worker.card.model_id.clone())
    }

    fn start(&self, request: &Request) {
        self.seats(request);
        let model = self.model_id(request);
        if let Some(games) = &self.games {
            games.start(request, &model);
        }
    }

    async fn choose(&self, request: &Request, received: Instant) -> Answer {
        let question =
            Arc::new(Question::of(request, self.seats(request)).map_err(|why| (StatusCode::BAD_REQUEST, why))?);
        let found = match &self.thinking {
            Some(thinking) => self.searched(thinking, &question, request, received).await,
            None => self.bare(&question, request, received + self.budget(request)).await,
        };
        let (direction, how, decision) = match found {
            Ok((decision, how)) => (usize::from(decision.direction), how, Some(decision)),
            Err(why) => (question.safe_move(), format!("safe: {why}"), None),
        };
        if let Some(games) = &self.games {
            let thought = decision.as_ref().map(|decision| (decision, received.elapsed()));
            games.add(request, &self.model_id(request), thought);
        }
        if self.verbose {
            let (game, turn, took) = (&request.game.id, request.turn, received.elapsed());
            eprintln!("game {game} turn {turn}: {}, {how}, {took:?}", MOVES[direction]);
        }
        Ok(format!(r#"{{"move":"{}"}}"#, MOVES[direction]))
    }

    /// The search's move; the network, where there is one, says which moves to look at first.
    async fn searched(
        &self,
        thinking: &Arc<Thinking>,
        question: &Arc<Question>,
        request: &Request,
        received: Instant,
    ) -> Result<Found, String> {
        let clocked = self.time_share > 0.0;
        let until = if clocked {
            self.pace().until(request, received, self.time_share, self.margin)
        } else {
            received + self.budget(request)
        };
        let planned = until.saturating_duration_since(received);
        let prior =
            self.ask(question, request, received + planned / NETWORK_SHARE).await.ok().map(|verdict| verdict.logits);
        let (thinking, question) = (thinking.clone(), question.clone());
        let clock = clocked.then_some(until);
        let search = tokio::task::spawn_blocking(move || thinking.think(&question, clock, prior));
        let found = tokio::time::timeout_at((received + self.budget(request)).into(), search).await;
        self.pace().answered(request, received.elapsed(), planned);
        let decision = found
            .map_err(|_| "the search did not end in time".to_owned())?
            .map_err(|_| "the search broke down".to_owned())?
            .inspect_err(|why| eprintln!("rust-snake: {why}"))?;
        let how = format!("value {:.1}, depth {}, {} positions", decision.value, decision.depth, decision.scored);
        Ok((decision, how))
    }

    fn pace(&self) -> std::sync::MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The network's move and what it thinks.
    async fn bare(&self, question: &Question, request: &Request, deadline: Instant) -> Result<Found, String> {
        let verdict = self.ask(question, request, deadline).await?;
        let direction = best_move(&verdict.logits, question.board.legal_moves()) as u8;
        let mut moves: Vec<(u8, f64)> = (0..).zip(verdict.logits.map(f64::from)).collect();
        moves.sort_by(|one, other| {
            (other.0 == direction, other.1).partial_cmp(&(one.0 == direction, one.1)).unwrap_or(Equal)
        });
        let value = f64::from(verdict.value);
        Ok((Decision { direction, value, depth: 0, scored: 1, moves }, format!("value {value:.3}")))
    }

    /// What the network says, or why it says nothing.
    async fn ask(&self, question: &Question, request: &Request, deadline: Instant) -> Result<Verdict, String> {
        let worker = self.worker(request).ok_or("no model")?;
        let seen = question.observation_for(&worker.card)?;
        worker.ask(seen, deadline).await.inspect_err(|why| eprintln!("rust-snake: {why}"))
    }

    /// How long an answer may take; half the time-out at least, where that is shorter than the margin allows.
    fn budget(&self, request: &Request) -> Duration {
        let timeout = pace::timeout(request);
        timeout.saturating_sub(self.margin).max(timeout / 2)
    }

    /// Answers even if the game could not be kept: that is ours to repair, not the caller's.
    async fn end(&self, request: Request) {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner).forget(&request);
        self.pace().forget(&request);
        let Some(games) = self.games.clone() else { return };
        let game = request.game.id.clone();
        // Syncing a file takes as long as the disk does; other games are answered meanwhile.
        let kept = tokio::task::spawn_blocking(move || games.end(&request)).await;
        if let Err(why) = kept.unwrap_or_else(|error| Err(error.to_string())) {
            eprintln!("rust-snake: game {game} was not recorded: {why}");
        }
    }
}
