//! A small DAG engine with switchable schedulers.
