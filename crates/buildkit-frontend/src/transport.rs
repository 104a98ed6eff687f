//! The connection to BuildKit: HTTP/2 over the pipes that stdin and stdout are. The daemon is the server.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use buildkit_proto::frontend::SolveResponse;
use buildkit_proto::frontend::llb_bridge_client::LlbBridgeClient;
use buildkit_proto::resources::SolveRequest;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::codegen::http;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Request, Status};
use tonic_prost::ProstCodec;
use tower::{Service, service_fn};

use crate::Error;

/// The daemon's own limit of a message, each way.
const MAX_MESSAGE_BYTES: usize = 16 << 20;
/// Error details travel in headers; hyper's own limit of 16 KiB makes calls with longer ones hang.
const MAX_HEADER_BYTES: u32 = 16 << 20;
/// The windows of HTTP/2 where one peer sends whole files.
const WINDOW_BYTES: u32 = 1 << 20;

/// One call of the daemon, in times since the connection was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its name, such as `Solve`.
    pub name: String,
    /// When it was made.
    pub began: Duration,
    /// When its answer began to arrive; `None` for one that has none.
    pub ended: Option<Duration>,
}

/// A channel that notes when calls are made and answered.
#[derive(Clone, Debug)]
pub(crate) struct Noted {
    channel: Channel,
    start: Instant,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Noted {
    fn calls(&self) -> std::sync::MutexGuard<'_, Vec<Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service<http::Request<Body>> for Noted {
    type Response = http::Response<Body>;
    type Error = tonic::transport::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.channel.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let name = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        let number = {
            let mut calls = self.calls();
            calls.push(Call { name, began: self.start.elapsed(), ended: None });
            calls.len() - 1
        };
        let (noted, answer) = (self.clone(), self.channel.call(request));
        Box::pin(async move {
            let answer = answer.await;
            noted.calls()[number].ended = Some(noted.start.elapsed());
            answer
        })
    }
}

/// The calls of the daemon's service.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    bridge: LlbBridgeClient<Noted>,
    raw: Grpc<Noted>,
    noted: Noted,
}

impl Client {
    fn new(channel: Channel) -> Self {
        let channel = Noted { channel, start: Instant::now(), calls: Arc::default() };
        let noted = channel.clone();
        let bridge = LlbBridgeClient::new(channel.clone())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        let raw = Grpc::new(channel)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        Self { bridge, raw, noted }
    }

    /// All calls but `Solve`.
    pub(crate) fn calls(&self) -> LlbBridgeClient<Noted> {
        self.bridge.clone()
    }

    /// The calls that were made so far.
    pub(crate) fn made(&self) -> Vec<Call> {
        self.noted.calls().clone()
    }

    /// Hands a graph over that is encoded already.
    pub(crate) async fn solve(&self, request: SolveRequest) -> Result<SolveResponse, Status> {
        let mut grpc = self.raw.clone();
        grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let path = PathAndQuery::from_static("/moby.buildkit.v1.frontend.LLBBridge/Solve");
        Ok(grpc.unary(Request::new(request), path, ProstCodec::default()).await?.into_inner())
    }
}

/// Connects over a pipe. The daemon gives up when it hears nothing for ten seconds, so this comes before all work.
pub(crate) async fn connect<IO>(pipe: IO) -> Result<Client, Error>
where
    IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut pipe = Some(pipe);
    let connector = service_fn(move |_: Uri| {
        let pipe = pipe.take();
        async move {
            pipe.map(TokioIo::new).ok_or_else(|| std::io::Error::other("the connection to BuildKit is lost"))
        }
    });
    let channel = Endpoint::from_static("http://localhost")
        .http2_max_header_list_size(MAX_HEADER_BYTES)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .connect_with_connector(connector)
        .await
        .map_err(|error| Error::internal(format!("cannot talk to BuildKit: {error}")))?;
    Ok(Client::new(channel))
}
