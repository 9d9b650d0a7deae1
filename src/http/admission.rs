//! What comes before every route: who may be called, and by which pages. After it: every error is JSON.
//!
//! A browser lets any web page send requests to a node that the browser can reach. The page's own name gives it away. A
//! page of another origin says so in `Origin`. A page whose name was made to lead to the node (DNS rebinding) has that name
//! in `Host`; no such name is an IP address, or one of the node's own.

use std::net::IpAddr;
use std::rc::Rc;

use actix_web::body::{BodySize, BoxBody, MessageBody as _};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use actix_web::http::uri::Authority;
use actix_web::http::{StatusCode, Version};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpResponse};
use tokio::time::Instant;

use super::answer::json;
use super::body::has_body;
use super::connections::Guard;
use super::message_body::MessageBody;
use super::paths;

/// The names by which a node may be called, besides every IP address and `localhost`.
#[derive(Debug, Clone, Default)]
pub struct Names(Vec<String>);

impl FromIterator<String> for Names {
    fn from_iter<I: IntoIterator<Item = String>>(names: I) -> Self {
        Self(names.into_iter().collect())
    }
}

impl Names {
    fn has(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        let address = host.trim_start_matches('[').trim_end_matches(']');
        let own = |name: &String| host.eq_ignore_ascii_case(name);
        address.parse::<IpAddr>().is_ok()
            || host.eq_ignore_ascii_case("localhost")
            || self.0.iter().any(own)
    }
}

/// Why a request is not admitted.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("there must be one Host header, with a host and perhaps a port")]
    BadHost,
    #[error(
        "this node is not called {host}; call it by its address, or add the name to host_names in the topology"
    )]
    OtherHost { host: String },
    #[error("pages of {origin} may not call this node")]
    OtherOrigin { origin: String },
    #[error("pages of other sites may not call this node")]
    OtherSite,
}

impl Refused {
    fn status(&self) -> u16 {
        match self {
            Self::BadHost => 400,
            // RFC 9110 section 15.5.20.
            Self::OtherHost { .. } => 421,
            Self::OtherOrigin { .. } | Self::OtherSite => 403,
        }
    }
}

/// Serves a request, if it is admitted.
pub(super) async fn admit(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let guard = request.request().conn_data::<Rc<Guard>>().cloned();
    if let Some(guard) = &guard
        && !has_body(request.request())
    {
        guard.whole(Instant::now());
    }
    let response = match refusal(&request) {
        None => next.call(request).await.map(in_json),
        Some(refused) => {
            let answer = json(refused.status(), &MessageBody::new(refused.to_string()));
            Ok(request.into_response(answer))
        }
    };
    if let Some(guard) = &guard {
        let size = response
            .as_ref()
            .map(|answer| answer.response().body().size());
        let bytes = match size {
            Ok(BodySize::Sized(bytes)) => usize::try_from(bytes).unwrap_or(usize::MAX),
            Ok(BodySize::None | BodySize::Stream) | Err(_) => 0,
        };
        guard.answered(bytes, Instant::now());
    }
    response
}

fn refusal(request: &ServiceRequest) -> Option<Refused> {
    let names = request.app_data::<Data<Names>>();
    check(
        names.map(Data::get_ref).unwrap_or(&Names::default()),
        request.version(),
        request.uri().authority(),
        request.headers(),
    )
    .and_then(|()| check_site(request.path(), request.headers()))
    .err()
}

/// `target`: the host in the request line, if there is one. It counts as well, RFC 9112 section 3.2.2.
fn check(
    names: &Names,
    version: Version,
    target: Option<&Authority>,
    headers: &HeaderMap,
) -> Result<(), Refused> {
    let Some(host) = single(headers, &HOST).map_err(|_| Refused::BadHost)? else {
        // Only HTTP/1.0 allows that, and no browser does it.
        return match version {
            Version::HTTP_10 => Ok(()),
            _ => Err(Refused::BadHost),
        };
    };
    let authority = authority(host).ok_or(Refused::BadHost)?;
    for host in [Some(&authority), target].into_iter().flatten() {
        if !names.has(host.host()) {
            let host = host.host().to_owned();
            return Err(Refused::OtherHost { host });
        }
    }
    let other = |origin: &HeaderValue| Refused::OtherOrigin {
        origin: String::from_utf8_lossy(origin.as_bytes()).into_owned(),
    };
    let Some(origin) = single(headers, &ORIGIN).map_err(other)? else {
        return Ok(());
    };
    let page = origin.to_str().ok().and_then(|origin| {
        let (_, page) = origin.split_once("://")?;
        Some(page)
    });
    match page.is_some_and(|page| page.eq_ignore_ascii_case(authority.as_str())) {
        true => Ok(()),
        false => Err(other(origin)),
    }
}

/// Pictures, links and forms of other sites send no `Origin`, but the browser says that they are of another site. They may
/// lead to the page that people read, and to nothing else: a browser shows its certificate whoever makes it call.
fn check_site(path: &str, headers: &HeaderMap) -> Result<(), Refused> {
    let is_elsewhere = |site: &HeaderValue| site != "same-origin" && site != "none";
    let is_elsewhere = headers.get_all(SEC_FETCH_SITE).any(is_elsewhere);
    match is_elsewhere && !path.starts_with(paths::DOCS) {
        true => Err(Refused::OtherSite),
        false => Ok(()),
    }
}

/// Fetch Metadata, W3C working draft, section 2.4: where a browser's request comes from.
const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// The only value of a header.
///
/// # Errors
/// A second value.
fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a HeaderValue>, &'a HeaderValue> {
    let mut values = headers.get_all(name);
    let (first, second) = (values.next(), values.next());
    second.map_or(Ok(first), Err)
}

fn authority(host: &HeaderValue) -> Option<Authority> {
    let host = host.to_str().ok()?;
    let without_user = !host.contains('@');
    host.parse().ok().filter(|_| without_user)
}

/// An error that is not in the node's own words yet: those of the HTTP library are plain text, or nothing at all.
fn in_json(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let status = response.status();
    let kind = response.headers().get(CONTENT_TYPE);
    let is_json = kind.is_some_and(|kind| kind.as_bytes().starts_with(JSON.as_bytes()));
    if is_json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let message = match (status, response.response().error()) {
        (StatusCode::NOT_FOUND, _) => "there is nothing at this path".to_owned(),
        (StatusCode::METHOD_NOT_ALLOWED, _) => "this path has other methods".to_owned(),
        (_, Some(error)) => error.to_string(),
        (_, None) => status.canonical_reason().unwrap_or("error").to_owned(),
    };
    let (request, mut response) = response.into_parts();
    let json = HeaderValue::from_static(JSON);
    response.headers_mut().insert(CONTENT_TYPE, json);
    let body = serde_json::to_vec(&MessageBody::new(message));
    let body = body.expect("a message is strings, and memory takes all of them");
    let response: HttpResponse = response.set_body(BoxBody::new(body));
    ServiceResponse::new(request, response)
}

const JSON: &str = "application/json";

#[cfg(test)]
mod tests {
    use super::*;

    fn status(headers: &[(&str, &str)]) -> u16 {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse().unwrap(), value.parse().unwrap());
        }
        let names = Names(vec!["hank".to_owned(), "hub.example.org".to_owned()]);
        let checked = check(&names, Version::HTTP_11, None, &map);
        checked.map_or_else(|refused| refused.status(), |()| 200)
    }

    #[test]
    fn a_node_is_called_by_an_address_or_by_one_of_its_names() {
        for host in [
            "127.0.0.1:8100",
            "10.1.2.3",
            "[::1]:8100",
            "[2001:db8::1]",
            "localhost:8100",
            "LOCALHOST",
            "hank:8100",
            "hub.example.org",
            "Hub.Example.Org.:80",
        ] {
            assert_eq!(status(&[("host", host)]), 200, "{host}");
        }
        for host in [
            "evil.example:8100",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "hank.evil.example:8100",
            "helen",
        ] {
            assert_eq!(status(&[("host", host)]), 421, "{host}");
        }
        for host in ["", "a b", "hank@evil.example", "evil.example@hank", "h:x:y"] {
            assert_eq!(status(&[("host", host)]), 400, "{host}");
        }
        assert_eq!(status(&[]), 400);
        assert_eq!(status(&[("host", "hank"), ("host", "hank")]), 400);
    }

    #[test]
    fn the_request_line_counts_as_well() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("localhost"));
        let names = Names::default();
        for (target, admitted) in [("localhost", true), ("evil.example", false)] {
            let target: Authority = target.parse().unwrap();
            let checked = check(&names, Version::HTTP_11, Some(&target), &headers);
            assert_eq!(checked.is_ok(), admitted, "{target}");
        }
        headers.clear();
        assert!(check(&names, Version::HTTP_10, None, &headers).is_ok());
    }

    #[test]
    fn a_page_may_call_its_own_node_only() {
        let host = ("host", "127.0.0.1:8100");
        for origin in ["http://127.0.0.1:8100", "https://127.0.0.1:8100"] {
            assert_eq!(status(&[host, ("origin", origin)]), 200, "{origin}");
        }
        for origin in [
            "null",
            "",
            "http://evil.example",
            "http://127.0.0.1:8101",
            "http://127.0.0.1",
            "http://localhost:8100",
            "file://",
        ] {
            assert_eq!(status(&[host, ("origin", origin)]), 403, "{origin}");
        }
        let own = ("origin", "http://127.0.0.1:8100");
        assert_eq!(status(&[host, own, own]), 403);
    }

    #[test]
    fn other_sites_may_lead_to_the_page_that_people_read_and_to_nothing_else() {
        let status = |path: &str, site: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(SEC_FETCH_SITE.parse().unwrap(), site.parse().unwrap());
            check_site(path, &headers).map_or_else(|refused| refused.status(), |()| 200)
        };
        for path in ["/api/v1/keys/celia/enc_keys", "/metrics", "/"] {
            for (site, expected) in [
                ("same-origin", 200),
                ("none", 200),
                ("same-site", 403),
                ("cross-site", 403),
                ("", 403),
            ] {
                assert_eq!(status(path, site), expected, "{path} from {site:?}");
            }
        }
        assert_eq!(status("/docs/index.html", "cross-site"), 200);
        assert!(check_site("/metrics", &HeaderMap::new()).is_ok());
    }
}
