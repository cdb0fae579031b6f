//! `rust-snake health`: asks the server on this machine, for images that hold no other program to ask with.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(3);

/// Asks `GET /` of the loopback address.
///
/// # Errors
/// In words: nobody listens, no answer in three seconds, an answer other than 200.
pub fn ask(port: u16) -> Result<(), String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let answer = first_bytes(address).map_err(|error| format!("no answer on {address}: {error}"))?;
    if answer.starts_with(b"HTTP/1.1 200 ") {
        Ok(())
    } else {
        Err(format!("{address} answered {:?}", String::from_utf8_lossy(&answer)))
    }
}

fn first_bytes(address: SocketAddr) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, DEADLINE)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut line = [0; 13];
    let mut got = 0;
    while got < line.len() {
        match stream.read(&mut line[got..])? {
            0 => break,
            more => got += more,
        }
    }
    Ok(line[..got].to_vec())
}

#[cfg(test)]
mod tests {
    use super::ask;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    fn answering(words: &'static str) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 512]).unwrap();
            stream.write_all(words.as_bytes()).unwrap();
        });
        port
    }

    #[test]
    fn only_a_good_answer_is_health() {
        assert_eq!(ask(answering("HTTP/1.1 200 OK\r\n\r\n{}")), Ok(()));
        assert!(ask(answering("HTTP/1.1 500 Oh\r\n\r\n")).unwrap_err().contains("500"));
        assert!(ask(answering("HTTP")).unwrap_err().contains("\"HTTP\""));
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        assert!(ask(free).unwrap_err().contains("no answer"));
    }
}
