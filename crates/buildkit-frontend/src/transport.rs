//! The connection to BuildKit: HTTP/2 over the pipes that stdin and stdout are. The daemon is the server.

use buildkit_proto::frontend::llb_bridge_client::LlbBridgeClient;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use crate::Error;

/// The daemon's own limit of a message, each way.
const MAX_MESSAGE_BYTES: usize = 16 << 20;
/// Error details travel in headers; hyper's own limit of 16 KiB makes calls with longer ones hang.
const MAX_HEADER_BYTES: u32 = 16 << 20;
/// The windows of HTTP/2 where one peer sends whole files.
const WINDOW_BYTES: u32 = 1 << 20;

pub(crate) type Client = LlbBridgeClient<Channel>;

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
    let client = Client::new(channel);
    Ok(client.max_decoding_message_size(MAX_MESSAGE_BYTES).max_encoding_message_size(MAX_MESSAGE_BYTES))
}
