//! `/docs`: a page to try the service with, which needs nothing from the network. Its scripts are Swagger UI's, which
//! `build.rs` has made a part of the program.

use std::io::Read as _;

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use flate2::read::GzDecoder;
use serde_json::json;

use crate::http::{
    call::Call,
    openapi::{document::openapi_document, operation::Operation},
    problem::{Outcome, Problem, ProblemKind},
    route::{Route, RouteAccess, routes},
};

/// The routes of the documentation. Only the document itself is a part of the API.
pub(in crate::http) const ROUTES: &[Route] = routes! {
    GET get "/openapi.json" RouteAccess::Everybody, openapi_document, Some(openapi_document_operation);
    GET get "/" RouteAccess::Everybody, redirect_root, None;
    GET get "/docs" RouteAccess::Everybody, redirect_page, None;
    GET get "/docs/{file}" RouteAccess::Everybody, serve_file, None;
};

/// What the page may load: its own files, and styles that it makes itself.
const POLICY: &str =
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

const PAGE: &str = r#"<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>Landfall: the HTTP API</title>
    <link rel="stylesheet" href="./swagger-ui.css">
    <link rel="icon" type="image/png" href="./favicon-32x32.png">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="./swagger-ui-bundle.js"></script>
    <script src="./swagger-initializer.js"></script>
  </body>
</html>
"#;

// `validatorUrl`: otherwise the page asks a server of Swagger's about this document.
const START: &str = r##"window.onload = () => {
  window.ui = SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    filter: true,
    tryItOutEnabled: true,
    validatorUrl: "none",
    presets: [SwaggerUIBundle.presets.apis],
  });
};
"##;

/// Files that the page loads, with their media types, packed by `build.rs`, which has the same list.
const FILES: [(&str, &str, &[u8]); 3] = [
    ("swagger-ui.css", "text/css; charset=utf-8", include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui.css.gz"))),
    (
        "swagger-ui-bundle.js",
        "text/javascript; charset=utf-8",
        include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js.gz")),
    ),
    ("favicon-32x32.png", "image/png", include_bytes!(concat!(env!("OUT_DIR"), "/favicon-32x32.png.gz"))),
];

/// Leads who only knows the service's address to the documentation.
pub(in crate::http) async fn redirect_root(_call: Call) -> Outcome {
    Ok(redirect_to("/docs"))
}

/// Leads to the page.
pub(in crate::http) async fn redirect_page(_call: Call) -> Outcome {
    Ok(redirect_to("/docs/index.html"))
}

fn redirect_to(path: &'static str) -> Response {
    let mut response = Response::new(Body::empty());
    // Not a permanent one, which browsers keep: the page may move with the next version.
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(path));
    response
}

/// A file of the page.
pub(in crate::http) async fn serve_file(call: Call) -> Outcome {
    let (body, media) = match call.path_part("file") {
        "index.html" => (Body::from(PAGE), "text/html; charset=utf-8"),
        "swagger-initializer.js" => (Body::from(START), "text/javascript; charset=utf-8"),
        name => {
            let found = FILES.into_iter().find(|(known, ..)| *known == name);
            let (_, media, packed) = found.ok_or_else(|| Problem::not_found("file"))?;
            let bytes = unpack_file(packed);
            let broken = || Problem::new(ProblemKind::INTERNAL, "the page cannot be made");
            (bytes.map(Body::from).ok_or_else(broken)?, media)
        }
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    // The usual policy of this service would let the page run no script.
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Ok(response)
}

fn unpack_file(packed: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn openapi_document_operation() -> Operation {
    Operation::new("service", "This document", json!({"type": "object"}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_of_the_page_are_in_the_program() {
        for (name, _, packed) in FILES {
            assert!(unpack_file(packed).is_some_and(|bytes| bytes.len() > 500), "{name}");
            assert!(PAGE.contains(name));
        }
    }
}
