using Decant.Errors;
using Decant.Names;

namespace Decant.Agent.Leases;

/// <summary>
/// Who may change which app on this host. Durations are measured by the monotonic clock, so that a clock that is set does no harm; after a
/// restart a lease lasts for its whole duration again. Given, given back and taken away leases are on disk before anybody is told; renewals are
/// not written.
/// </summary>
internal sealed class LeaseBook
{
    private readonly Action<LeasePage> save;
    private readonly TimeProvider time;
    private readonly Lock gate = new();
    private readonly Dictionary<AppName, Entry> entries = [];
    private FencingToken? newest;

    /// <summary>Opens the book; leases that were held when the agent ended begin anew.</summary>
    /// <param name="written">What was written of it.</param>
    /// <param name="save">Writes a page.</param>
    /// <param name="time">The monotonic clock, and a wall clock for people.</param>
    public LeaseBook(IReadOnlyList<LeasePage> written, Action<LeasePage> save, TimeProvider time)
    {
        (this.save, this.time) = (save, time);
        foreach (var page in written)
        {
            entries[page.Lease.App] = new Entry(page, time.GetTimestamp());
            if (newest is null || page.Newest.Value > newest.Value) newest = page.Newest;
        }
    }

    /// <summary>Takes the lease of an app; a holder that has it already gets the same one.</summary>
    /// <exception cref="OperatorException">LEASE_HELD; DISK_FULL.</exception>
    public Lease Acquire(AppName app, LeaseHolder holder, TimeSpan duration, string step)
    {
        lock (gate)
        {
            var entry = entries.GetValueOrDefault(app);
            if (entry is { Page: { IsOver: false, Lease.Holder: var its } } && its.Id == holder.Id) return Seen(entry, step, null);
            if (entry is not null && RemainingOf(entry) is { } remaining) throw LeaseErrors.Held(entry.Page.Lease, remaining);

            var now = time.GetUtcNow();
            var token = newest?.Next ?? FencingToken.FirstAt(now);
            var page = new LeasePage(new Lease(app, token, holder, duration, now, step, now), IsOver: false, token, entry?.Page.Unlocked);
            save(page);
            newest = token;
            entries[app] = new Entry(page, time.GetTimestamp());
            return page.Lease;
        }
    }

    /// <summary>The holder lives; a lease that expired is its own again as long as nobody took it.</summary>
    /// <param name="step">What it does; empty: as before.</param>
    /// <param name="deployment">Null: as before.</param>
    /// <exception cref="OperatorException">LEASE_LOST.</exception>
    public LeaseView Renew(AppName app, FencingToken token, string step, DeploymentId? deployment)
    {
        lock (gate)
        {
            if (entries.GetValueOrDefault(app) is not { Page: { IsOver: false, Lease.Token: var its } } entry || its != token) throw Lost(app, token);
            Seen(entry, step, deployment);
            return new LeaseView(entry.Page, RemainingOf(entry));
        }
    }

    /// <summary>Gives a lease back. One that is over already stays so.</summary>
    public void Release(AppName app, FencingToken token)
    {
        lock (gate)
        {
            if (entries.GetValueOrDefault(app) is { Page: { IsOver: false, Lease.Token: var its } } entry && its == token) End(entry, entry.Page with { IsOver = true });
        }
    }

    /// <summary>Takes a lease away from its holder.</summary>
    /// <param name="expected">Only this one; null: whichever is there.</param>
    /// <returns>The lease; null: nobody had it.</returns>
    /// <exception cref="OperatorException">LEASE_CHANGED; DISK_FULL.</exception>
    public Lease? Unlock(AppName app, FencingToken? expected, string by, string reason)
    {
        lock (gate)
        {
            var entry = entries.GetValueOrDefault(app);
            var lease = entry is { Page.IsOver: false } ? entry.Page.Lease : null;
            if (expected is not null && lease?.Token != expected) throw LeaseErrors.Changed(app, expected, entry?.Page);
            if (lease is null) return null;
            var token = newest!.Next;
            End(entry!, new LeasePage(lease, IsOver: true, token, new Unlocking(by, reason, time.GetUtcNow(), lease.Holder, lease.Token)));
            newest = token;
            return lease;
        }
    }

    /// <summary>Lets a call that changes something pass, or refuses it. See leases.proto for the rules.</summary>
    /// <param name="app">What it changes; null: it names no app, so that it may be any.</param>
    /// <param name="token">Of the caller's lease; null: it has none.</param>
    /// <param name="rule">Whether it needs one.</param>
    /// <exception cref="OperatorException">LEASE_HELD or LEASE_LOST.</exception>
    public void Check(AppName? app, FencingToken? token, LeaseRule rule)
    {
        lock (gate)
        {
            var concerned = app is null ? [.. entries.Values] : entries.GetValueOrDefault(app) is { } one ? [one] : Array.Empty<Entry>();
            if (token is not null)
            {
                var own = concerned.FirstOrDefault(e => !e.Page.IsOver && e.Page.Lease.Token == token);
                Seen(own ?? throw Lost(app, token), "", null);
                return;
            }

            if (rule == LeaseRule.OnlyNotOlder) return;
            foreach (var entry in concerned)
            {
                if (RemainingOf(entry) is { } remaining) throw LeaseErrors.Held(entry.Page.Lease, remaining);
            }

            // The app changes behind the back of whoever let his lease expire: he must look again before he goes on.
            foreach (var expired in concerned.Where(e => !e.Page.IsOver)) End(expired, expired.Page with { IsOver = true });
        }
    }

    /// <summary>All that is known, by app.</summary>
    /// <param name="app">Only this app; null: all.</param>
    public IReadOnlyList<LeaseView> List(AppName? app)
    {
        lock (gate)
        {
            return [.. entries.Values
                .Where(e => app is null || e.Page.Lease.App == app)
                .OrderBy(e => e.Page.Lease.App.Value, StringComparer.Ordinal)
                .Select(e => new LeaseView(e.Page, RemainingOf(e)))];
        }
    }

    private Lease Seen(Entry entry, string step, DeploymentId? deployment)
    {
        entry.SeenAt = time.GetTimestamp();
        var lease = entry.Page.Lease;
        if (step.Length > 0 && step != lease.Step) lease = lease with { Step = step, StepAt = time.GetUtcNow() };
        if (deployment is not null) lease = lease with { Holder = lease.Holder with { Deployment = deployment } };
        entry.Page = entry.Page with { Lease = lease };
        return lease;
    }

    private void End(Entry entry, LeasePage page)
    {
        save(page);
        entry.Page = page;
    }

    private TimeSpan? RemainingOf(Entry entry)
    {
        var remaining = entry.Page.Lease.Duration - time.GetElapsedTime(entry.SeenAt);
        return !entry.Page.IsOver && remaining > TimeSpan.Zero ? remaining : null;
    }

    private OperatorException Lost(AppName? app, FencingToken token)
    {
        var entry = app is null ? null : entries.GetValueOrDefault(app);
        return LeaseErrors.Lost(app, token, entry?.Page, entry is not null && RemainingOf(entry) is not null);
    }

    private sealed class Entry(LeasePage page, long seenAt)
    {
        public LeasePage Page { get; set; } = page;

        /// <summary>When its holder was last heard, by the monotonic clock.</summary>
        public long SeenAt { get; set; } = seenAt;
    }
}
