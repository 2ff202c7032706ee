//! Blocking handlers on workers, nginx-class delivery on I/O threads: an HTTP/1.1 server
