/* Claim, lease, cancel, retry and rescue: one task of UNITS units, two workers, a reaper, a person.
 *
 * An atomic step is one transaction of the store. Where it stands in the code:
 *   claim                   src/store/sqlite/unit_verbs.cpp  claim()
 *   record, fail            the same file                    finish_chunk(), fail_unit(): hold()
 *   rescue                  src/store/sqlite/recovery_verbs.cpp rescue_expired()
 *   cancel, retry           src/store/sqlite/task_verbs.cpp  request_cancel(), retry()
 *   states                  src/domain/states.cpp
 *
 * Faults (a worker that crashes, a lease that runs out) come at any point, FAULTS of them in all:
 * without a bound no task need ever end, because a lost lease spends no attempt.
 *
 * Not here: units that fail and what is retried of those, a second retry, steps that open the next.
 *
 * ZOMBIES: a worker may outlive its lease (a stopped process, a lost machine). Without it the rule
 * holds that a node kills its workers before their leases end (engine/supervisor.cpp), and then
 * "cancelled" means that no process works on the task.
 *
 * Variants that must fail: BROKEN_NO_FENCE (a result is taken without its lease number),
 * BROKEN_RESCUE (the rescue acts on what it selected earlier; needs ZOMBIES), BROKEN_CANCEL
 * (cancelled while a worker still works), BROKEN_NO_RESCUE (nobody notices a worker's death: a task
 * that is stuck), BROKEN_NO_BUDGET (crashes without end: a task that never ends).
 */
#define UNITS 2
#define FAULTS 3
#define WORKERS 2

mtype = { pending, processing, completed, cancelled };

mtype unit[UNITS];
byte lease[UNITS];     /* the fencing token: only grows */
byte accepted[UNITS];  /* results taken of the unit */
bool working[WORKERS];
byte on[WORKERS];
byte token[WORKERS];
byte faults = FAULTS;
byte retries = 1;
bool may_cancel = true;
bool cancel_asked = false;

#define ended(u) (unit[u] == completed || unit[u] == cancelled)
#define all_ended (ended(0) && ended(1))
#define task_cancelled (cancel_asked && all_ended && (unit[0] == cancelled || unit[1] == cancelled))
#define holds(w) (unit[on[w]] == processing && lease[on[w]] == token[w])

inline leave(w) {
    working[w] = false;
    on[w] = 0;
    token[w] = 0
}

/* Back to the queue, or cancelled where that was asked for. */
inline hand_back(u) {
    if
    :: cancel_asked -> unit[u] = cancelled
    :: else -> unit[u] = pending
    fi
}

proctype Worker(byte w) {
    byte u;
    do
    :: atomic {
           (unit[0] == pending || unit[1] == pending) && !cancel_asked ->
           if
           :: unit[0] == pending -> u = 0
           :: unit[1] == pending -> u = 1
           fi;
#ifndef BROKEN_NO_BUDGET
           lease[u]++;
#endif
           unit[u] = processing;
           working[w] = true;
           on[w] = u;
           token[w] = lease[u]
       };
       if
       :: atomic { /* its result */
              if
#ifdef BROKEN_NO_FENCE
              :: working[w] ->
#else
              :: holds(w) ->
#endif
                  unit[on[w]] = completed;
                  accepted[on[w]]++;
                  assert(accepted[on[w]] == 1)
              :: else -> skip /* stale: dropped */
              fi;
              leave(w)
          }
       :: atomic { /* its crash, seen at once */
              faults > 0 ->
#ifndef BROKEN_NO_BUDGET
              faults--;
#endif
#ifndef BROKEN_NO_RESCUE
              if
              :: holds(w) -> hand_back(on[w])
              :: else -> skip
              fi;
#endif
              leave(w)
          }
       :: atomic { /* told to stop: killed, then acknowledged */
              cancel_asked ->
              if
              :: holds(w) -> unit[on[w]] = cancelled
              :: else -> skip
              fi;
              leave(w)
          }
       fi;
       u = 0
    :: atomic { all_ended && retries == 0 && !may_cancel -> break }
    od
}

proctype Reaper() {
    byte u;
    do
    :: atomic {
#ifdef BROKEN_NO_RESCUE
           false;
#endif
           faults > 0 && (unit[0] == processing || unit[1] == processing) ->
           if
           :: unit[0] == processing -> u = 0
           :: unit[1] == processing -> u = 1
           fi;
#ifndef ZOMBIES
           /* The node that could not renew has killed its worker. */
           if
           :: working[0] && on[0] == u && token[0] == lease[u] -> leave(0)
           :: working[1] && on[1] == u && token[1] == lease[u] -> leave(1)
           fi;
#endif
           faults--;
#ifndef BROKEN_RESCUE
           hand_back(u)
#endif
       };
#ifdef BROKEN_RESCUE
       atomic { hand_back(u) };
#endif
       u = 0
    :: atomic { all_ended && retries == 0 && !may_cancel -> break }
    od
}

proctype Person() {
    byte u;
    bool done[UNITS];
    /* Perhaps a cancel, at any time. */
    if
    :: atomic {
           cancel_asked = !all_ended;
           for (u : 0 .. (UNITS - 1)) {
               if
               :: unit[u] == pending && cancel_asked -> unit[u] = cancelled
#ifdef BROKEN_CANCEL
               :: unit[u] == processing && cancel_asked -> unit[u] = cancelled
#endif
               :: else -> skip
               fi
           };
           may_cancel = false
       }
    :: may_cancel = false
    fi;
    /* And a retry, once it has ended. */
    if
    :: atomic {
           task_cancelled ->
           for (u : 0 .. (UNITS - 1)) {
               done[u] = (unit[u] == completed);
               if
               :: unit[u] == cancelled -> unit[u] = pending
               :: else -> skip
               fi;
               assert(!done[u] || unit[u] == completed)
           };
           cancel_asked = false;
           retries = 0
       }
    :: atomic { all_ended -> retries = 0 }
    fi
}

/* Says at every moment what must hold. */
active proctype Monitor() {
    do
#ifndef ZOMBIES
    :: atomic { task_cancelled && (working[0] || working[1]) -> assert(false) }
#endif
    :: atomic { accepted[0] > 1 || accepted[1] > 1 -> assert(false) }
    :: atomic { accepted[0] == 1 && unit[0] != completed -> assert(false) }
    :: atomic { accepted[1] == 1 && unit[1] != completed -> assert(false) }
    :: atomic { all_ended && retries == 0 && !may_cancel -> break }
    od
}

init {
    atomic {
        unit[0] = pending;
        unit[1] = pending;
        run Worker(0);
        run Worker(1);
        run Reaper();
        run Person()
    }
}

ltl every_task_ends { <> [] all_ended }
