//! A stand-in for the server: answers each route with a text that the test gave, on the socket that the binary asks.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex};

use crate::sealed::Sealed;

/// One answer: to which request, with what status and body. Answers of a route are used up in order; the last stays.
pub struct Answer {
    pub route: &'static str,
    pub status: u16,
    pub body: String,
}

/// What the server was asked, as `POST /v1/plan`.
pub type Asked = Arc<Mutex<Vec<String>>>;

pub fn answer(route: &'static str, body: impl ToString) -> Answer {
    Answer { route, status: 200, body: body.to_string() }
}

/// Serves until the test ends.
pub fn serve(sealed: &Sealed, answers: Vec<Answer>) -> Asked {
    std::fs::create_dir_all(sealed.state_dir()).expect("a state folder");
    let listener = UnixListener::bind(sealed.state_dir().join("mainstay.sock")).expect("a socket");
    let asked = Asked::default();
    let heard = asked.clone();
    let mut queue: VecDeque<Answer> = answers.into();
    let usual = [("GET /v1/version", r#"{"version":"0.1.0","pid":7,"engine":null}"#), ("GET /v1/stacks", "[]")];
    for (route, body) in usual {
        if queue.iter().all(|answer| answer.route != route) {
            queue.push_back(answer(route, body));
        }
    }
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = one(stream, &mut queue, &heard);
        }
    });
    asked
}

fn one(mut stream: UnixStream, queue: &mut VecDeque<Answer>, asked: &Asked) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    if reader.read_line(&mut request)? == 0 {
        return Ok(());
    }
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if header.trim().is_empty() {
            break;
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    let route: Vec<&str> = request.split_whitespace().take(2).collect();
    let route = route.join(" ");
    asked.lock().expect("no panic").push(route.clone());
    let place = queue.iter().position(|answer| route.starts_with(answer.route));
    let (status, body) = match place {
        Some(place) => {
            let has_more = queue.iter().skip(place + 1).any(|answer| answer.route == queue[place].route);
            if has_more {
                queue.remove(place).map(|answer| (answer.status, answer.body)).unwrap_or_default()
            } else {
                (queue[place].status, queue[place].body.clone())
            }
        }
        None => (404, format!(r#"{{"kind":"bug","code":"test","message":"no answer to {route}","operation":null}}"#)),
    };
    write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}
