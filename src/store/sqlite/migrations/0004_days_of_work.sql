-- On which days a server ran: what is kept for so many days is kept for so many of these. A wall clock
-- that jumps makes one day of them, where the difference of two times would make years.
CREATE TABLE days_of_work (
    at INTEGER PRIMARY KEY NOT NULL
) STRICT;
