//! Forms: pairs and parts, in memory and in files.

use std::io::{self, Read};

use larder_serve::http::StatusCode;
use larder_serve::{Error, Reply, Request, Running};

use crate::client::{Answer, Client, builder, start_with};

/// Says all that it finds, in lines.
fn tell(request: &Request) -> Result<String, Error> {
    let mut lines = String::new();
    for (key, value) in request.query_pairs() {
        lines += &format!("{key}?{value}\n");
    }
    if request.path() == "/pairs" {
        for (key, value) in request.form()? {
            lines += &format!("{key}={value}\n");
        }
        return Ok(lines);
    }
    let mut parts = request.multipart()?;
    while let Some(mut part) = parts.next_part()? {
        let name = part.name().unwrap_or("-").to_owned();
        let file = part.file_name().unwrap_or("-").to_owned();
        let content_type = part.content_type().unwrap_or("-").to_owned();
        lines += &format!("{name} {file} {content_type} ");
        lines += &match &*name {
            "skipped" => "\n".to_owned(),
            "tasted" => {
                part.read_exact(&mut [0; 3]).unwrap();
                "\n".to_owned()
            }
            "long" => format!("{}\n", io::copy(&mut part, &mut io::sink()).unwrap()),
            _ => format!("{}\n", part.text()?),
        };
    }
    Ok(lines)
}

fn server() -> Running {
    let settings = builder().max_body_bytes(1 << 30).spill_body_above(1000);
    start_with(settings, |request: Request| match tell(&request) {
        Ok(lines) => Reply::text(lines),
        Err(error) if error.is_malformed() => {
            Reply::text(error.to_string()).with_status(StatusCode::BAD_REQUEST)
        }
        Err(error) => panic!("{error}"),
    })
}

fn post(client: &mut Client, target: &str, content_type: &str, body: &[u8]) -> Answer {
    let fields = format!("Content-Type: {content_type}\r\nContent-Length: {}\r\n", body.len());
    let head = format!("POST {target} HTTP/1.1\r\nHost: x\r\n{fields}\r\n");
    client.send([head.as_bytes(), body].concat());
    client.answer()
}

#[test]
fn pairs() {
    let server = server();
    let mut client = Client::connect(server.local_addr());
    let form = "application/x-www-form-urlencoded";
    let mut ask = |content_type: &str, body: &str| {
        let answer = post(&mut client, "/pairs?q=a+b%21&q=", content_type, body.as_bytes());
        (answer.status, answer.text().to_owned())
    };
    let found = (200, "q?a b!\nq?\na=1\na=2 3\nb=\u{e9}&\nc=\n".to_owned());
    assert_eq!(ask(form, "a=1&a=2+3&b=%C3%A9%26&c"), found);
    let upper = "Application/X-WWW-Form-Urlencoded; charset=utf-8";
    assert_eq!(ask(upper, "a=1&a=2+3&b=%C3%A9%26&c"), found);
    assert_eq!(
        ask(form, &format!("a={}", "b".repeat(5000))).1.len(),
        "q?a b!\nq?\na=\n".len() + 5000
    );
    assert_eq!(ask("text/plain", "a=1").0, 400);
    assert_eq!(ask(form, &"a&".repeat(1001)).0, 400);
    assert_eq!(ask(form, &"a=b".repeat(400_000)).0, 400);
    assert_eq!(ask(form, ""), (200, "q?a b!\nq?\n".to_owned()));
}

fn part(head: &str, body: &str) -> String {
    format!("--edge\r\nContent-Disposition: form-data; {head}\r\n\r\n{body}\r\n")
}

#[test]
fn parts() {
    let server = server();
    let mut client = Client::connect(server.local_addr());
    let long = "-\r\n--edg".repeat(1_000_000);
    let body = [
        part("name=\"title\"", "On the edge\r\n--edg"),
        part("name=\"skipped\"", &long),
        part("name=\"tasted\"", &long),
        part("name=\"picture\"; filename=\"a b.png\"\r\nContent-Type: image/png", "PNG"),
        part("name=\"long\"; filename=\"../../x\"", &long),
        part("name=\"empty\"", ""),
        "--edge--\r\n".to_owned(),
    ]
    .concat();
    let answer = post(&mut client, "/", "multipart/form-data; boundary=edge", body.as_bytes());
    let lines = format!(
        "title - - On the edge\r\n--edg\nskipped - - \ntasted - - \npicture a b.png image/png PNG\n\
         long ../../x - {}\nempty - - \n",
        long.len()
    );
    assert_eq!((answer.status, answer.text()), (200, &*lines));
    let none = post(&mut client, "/", "multipart/form-data; boundary=\"edge\"", b"--edge--\r\n");
    assert_eq!((none.status, none.text()), (200, ""));
}

#[test]
fn what_is_no_form_is_refused_and_not_read_into_memory() {
    let server = server();
    let mut client = Client::connect(server.local_addr());
    let mut refused = |content_type: &str, body: &str| {
        let answer = post(&mut client, "/", content_type, body.as_bytes());
        assert_eq!(answer.status, 400, "{content_type} {:.80}", body);
    };
    let good = "multipart/form-data; boundary=edge";
    refused("multipart/form-data", "--edge--\r\n");
    refused("multipart/mixed; boundary=edge", "--edge--\r\n");
    refused("text/plain", "");
    refused(good, "");
    refused(good, "--other--\r\n");
    refused(good, &part("name=\"a\"", "cut off"));
    refused(good, &part("name=\"skipped\"", &"cut off".repeat(100_000)));
    refused(good, "--edge\r\nno colon\r\n\r\n");
    // No end where one must be: the rest is never looked for in memory.
    refused(good, &"x".repeat(1_000_000));
    refused(good, &format!("--edge\r\nA: {}", "x".repeat(1_000_000)));
    refused(good, &format!("{}--edge--\r\n", part("name=\"skipped\"", "").repeat(1001)));
    refused(good, &format!("{}--edge--\r\n", part("name=\"a\"", &"x".repeat(1_100_000))));
    refused(
        good,
        &format!(
            "{}--edge--\r\n",
            "--edge\r\nContent-Disposition: form-data\r\n\r\n\u{0}\r\n".repeat(1001)
        ),
    );
}
