//! The server over real sockets on free ports; each module is named by the failure it forbids.

mod ambiguous_framing_is_accepted;
mod answers_get_mixed_up;
mod blocked_workers_stop_hits;
mod bodies_fill_the_memory;
mod body_is_misread;
mod client;
mod coding_is_not_asked_for;
mod cold_file_waits_on_the_io_thread;
mod conditions_are_ignored;
mod departed_client_is_served;
mod dropping_holds_up_a_thread;
mod fast_path_takes_its_thread_along;
#[cfg(feature = "forms")]
mod form_is_misread;
mod half_close_cuts_an_answer;
mod hyper_reads_it_otherwise;
mod kept_pages_are_not_what_was_said;
mod late_or_surplus_job_runs;
mod later_is_never_answered;
mod lease_holds_up_another;
mod listeners_get_lost;
mod one_panic_takes_a_worker;
mod overload_grows_a_queue;
mod parts_get_mixed_up;
mod request_is_logged_wrong;
mod router_misses_a_method;
mod slow_client_holds_on;
mod slow_reader_holds_a_worker;
mod stale_answer_is_kept;
mod stop_cuts_answers;
mod stream_holds_a_worker;
mod stream_is_taken_for_whole;
mod vectors;
mod written_answer_is_forgotten;
