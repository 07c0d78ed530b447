using Decant.Agent.Leases;
using Decant.Agent.State;
using Decant.Errors;
using Decant.Names;

namespace Decant.Agent.Tests.Leases;

/// <summary>Who may change an app: every order of what two controllers, a person and an agent's restart can do.</summary>
internal sealed class LeaseBookTests
{
    private static readonly AppName App = AppName.Parse("shop");
    private static readonly AppName Other = AppName.Parse("blog");
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(15);

    [Test]
    [CancelAfter(120_000)]
    public void In_every_order_of_five_events_only_the_newest_holder_changes_the_app(CancellationToken cancellation)
    {
        var events = Play.Events.Count;
        var orders = (int)Math.Pow(events, 5);
        Assert.That(orders, Is.GreaterThan(500_000));

        for (var order = 0; order < orders; order++)
        {
            var play = new Play();
            for (int rest = order, i = 0; i < 5; i++, rest /= events) play.Do(rest % events);
        }

        cancellation.ThrowIfCancellationRequested();
    }

    [Test]
    public void Whoever_is_refused_is_told_who_holds_the_lease_since_when_and_at_which_step()
    {
        var clock = new TestClock();
        var book = new LeaseBook([], _ => { }, clock);
        var token = book.Acquire(App, Holder("a"), Duration, "plan").Token;
        clock.Monotonic += TimeSpan.FromSeconds(4);
        book.Renew(App, token, "stop shop 1.4.1 on web2", DeploymentId.Parse("d1"));
        clock.Monotonic += TimeSpan.FromSeconds(5);

        var acquire = Refused(() => book.Acquire(App, Holder("b"), Duration, ""));
        var call = Refused(() => book.Check(App, null, LeaseRule.Respects));
        var unnamed = Refused(() => book.Check(null, null, LeaseRule.Respects));

        using (Assert.EnterMultipleScope())
        {
            foreach (var error in (OperatorError[])[acquire, call, unnamed])
            {
                Assert.That(error.Reason, Is.EqualTo("LEASE_HELD"));
                Assert.That(error.Message, Is.EqualTo(
                    "shop is being changed by a on ops1 (pid 7), deploying shop, deployment d1, since 2026-11-24 12:00:00 UTC, at step \"stop shop 1.4.1 on web2\""));
                Assert.That(error.WhatNext, Does.Contain("ends in 10 s").And.Contain("decant unlock"));
                Assert.That(error.Facts["step"], Is.EqualTo("stop shop 1.4.1 on web2"));
            }

            Assert.That(() => book.Check(App, null, LeaseRule.OnlyNotOlder), Throws.Nothing, "a person looks into the app");
            Assert.That(() => book.Check(Other, null, LeaseRule.Respects), Throws.Nothing, "another app");
        }
    }

    [Test]
    public void A_former_holder_is_told_who_has_the_lease_now_or_who_took_it_away_and_why()
    {
        var clock = new TestClock();
        var book = new LeaseBook([], _ => { }, clock);
        var first = book.Acquire(App, Holder("a"), Duration, "").Token;
        book.Unlock(App, null, "alice on ops2", "its laptop is closed");
        var unlocked = Refused(() => book.Check(App, first, LeaseRule.Respects));
        var second = book.Acquire(App, Holder("b"), Duration, "stage");
        clock.Monotonic += Duration;
        var third = book.Acquire(App, Holder("c"), Duration, "drain web1");

        var late = Refused(() => book.Renew(App, second.Token, "", null));

        Assert.That(unlocked.Reason, Is.EqualTo("LEASE_LOST"));
        Assert.That(unlocked.Message, Does.EndWith("alice on ops2 took it away at 2026-11-24 12:00:00 UTC: its laptop is closed"));
        Assert.That(late.Message, Does.Contain("is lost: it is held by c on ops1 (pid 7)").And.EndWith("at step \"drain web1\""));
        Assert.That(third.Token.Value, Is.GreaterThan(second.Token.Value));
        Assert.That(book.List(App).Single().Page.Unlocked!.Reason, Is.EqualTo("its laptop is closed"), "it stays on record");
    }

    [Test]
    public void Only_the_lease_that_was_looked_at_is_taken_away()
    {
        var clock = new TestClock();
        var book = new LeaseBook([], _ => { }, clock);
        var dead = book.Acquire(App, Holder("dead"), Duration, "").Token;
        clock.Monotonic += Duration;
        var alive = book.Acquire(App, Holder("alive"), Duration, "").Token;

        Assert.That(Refused(() => book.Unlock(App, dead, "me", "it is dead")).Reason, Is.EqualTo("LEASE_CHANGED"));
        Assert.That(() => book.Check(App, alive, LeaseRule.Respects), Throws.Nothing);
        Assert.That(book.Unlock(Other, null, "me", "to be sure"), Is.Null, "nobody had it");
    }

    [Test]
    public void A_book_that_was_lost_gives_higher_tokens_than_all_that_it_gave_before()
    {
        var clock = new TestClock();
        var book = new LeaseBook([], _ => { }, clock);
        var highest = Enumerable.Range(0, 900).Select(i => book.Acquire(AppName.Parse($"app{i}"), Holder("a"), Duration, "").Token).Last();
        clock.Wall += TimeSpan.FromSeconds(1);

        var fresh = new LeaseBook([], _ => { }, clock);
        var lost = Refused(() => fresh.Renew(App, highest, "", null));

        Assert.That(fresh.Acquire(App, Holder("b"), Duration, "").Token.Value, Is.GreaterThan(highest.Value));
        Assert.That(lost.Message, Does.Contain("has lost its database"));
    }

    [Test]
    public void A_book_comes_back_from_the_disk_as_it_went_in()
    {
        using var directory = new TemporaryDirectory();
        using var database = AgentDatabase.Open(directory["agent.db"]);
        var store = new LeaseStore(database);
        var book = store.Open(TimeProvider.System);
        book.Acquire(App, Holder("a") with { Deployment = DeploymentId.Parse("d1") }, Duration, "stage");
        book.Unlock(App, null, "alice on ops2", "its laptop is closed");
        book.Acquire(App, Holder("b"), Duration, "stage");
        book.Acquire(Other, Holder("c"), TimeSpan.FromSeconds(30), "");

        Assert.That(store.Open(TimeProvider.System).List(null).Select(v => v.Page), Is.EqualTo(book.List(null).Select(v => v.Page)));
    }

    private static LeaseHolder Holder(string id) => new(id, id, "ops1", "deploying shop", 7, "boot/7", null);

    private static OperatorError Refused(Action act) => Assert.Throws<OperatorException>(() => act())!.Error;

    /// <summary>
    /// Two controllers that each want the lease, a person, and the agent. What may happen is said by what happened before: who was given the lease
    /// last, when he was heard, and whether it was ended since.
    /// </summary>
    private sealed class Play
    {
        public static readonly IReadOnlyList<Action<Play>> Events =
        [
            p => p.Acquire(0), p => p.Acquire(1), p => p.Renew(0), p => p.Renew(1), p => p.Release(0), p => p.Release(1), p => p.Call(0), p => p.Call(1),
            p => p.CallWithout(), p => p.Unlock(), p => p.clock.Monotonic += TimeSpan.FromSeconds(10), p => p.clock.Monotonic += TimeSpan.FromSeconds(20),
            p => p.clock.Wall -= TimeSpan.FromDays(1), p => p.Restart(),
        ];

        private readonly TestClock clock = new();
        private readonly Dictionary<AppName, LeasePage> disk = [];
        private readonly FencingToken?[] tokens = new FencingToken?[2];
        private readonly List<long> given = [];
        private readonly List<string> past = [];
        private LeaseBook book;
        private int? holder;
        private TimeSpan heard;

        public Play() => book = Open();

        private bool IsHeld => holder is not null && clock.Monotonic - heard < Duration;

        public void Do(int index)
        {
            past.Add($"{index}");
            Events[index](this);
        }

        private LeaseBook Open() => new([.. disk.Values], page => disk[page.Lease.App] = page, clock);

        private void Acquire(int who)
        {
            Expect(!IsHeld || holder == who, "LEASE_HELD", () =>
            {
                var token = book.Acquire(App, Holder($"{who}"), Duration, "").Token;
                // A holder that asks again is given what he has.
                if (holder == who) Check(token == tokens[who], "another token for the same holder");
                else Check(given.All(g => g < token.Value), "a token that is not the highest");
                tokens[who] = token;
                given.Add(token.Value);
                (holder, heard) = (who, clock.Monotonic);
            });
        }

        private void Renew(int who)
        {
            if (tokens[who] is { } token) Expect(holder == who, "LEASE_LOST", () => { book.Renew(App, token, "", null); heard = clock.Monotonic; });
        }

        private void Call(int who)
        {
            if (tokens[who] is { } token) Expect(holder == who, "LEASE_LOST", () => { book.Check(App, token, LeaseRule.Respects); heard = clock.Monotonic; });
        }

        private void Release(int who)
        {
            if (tokens[who] is not { } token) return;
            book.Release(App, token);
            if (holder == who) holder = null;
        }

        private void CallWithout() => Expect(!IsHeld, "LEASE_HELD", () =>
        {
            book.Check(App, null, LeaseRule.Respects);
            holder = null;
        });

        private void Unlock()
        {
            Check(book.Unlock(App, null, "me", "why") is not null == holder is not null, "what was taken away");
            holder = null;
        }

        private void Restart()
        {
            book = Open();
            heard = clock.Monotonic;
        }

        private void Expect(bool passes, string reason, Action act)
        {
            try
            {
                act();
                Check(passes, "it passed");
            }
            catch (OperatorException refused)
            {
                Check(!passes && refused.Error.Reason == reason, $"it was refused: {refused.Error.Reason}");
            }
        }

        private void Check(bool right, string what)
        {
            if (!right) Assert.Fail($"after the events {string.Join(", ", past)}: {what}");
        }
    }
}
