using Decant.Agent.Operations;
using Decant.Errors;
using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>
/// A balancer whose members the agent manages by writing the whole of a backend's configuration anew. Its kinds say how that is read, made
/// effective and watched; what is to be in it is decided here.
/// </summary>
internal abstract class TableBalancer(BalancerName name, TableTimings timings, TimeProvider time) : IBalancer, IDisposable
{
    private readonly OthersUp othersUp = new(name, time);

    /// <inheritdoc/>
    public BalancerName Name => name;

    /// <inheritdoc/>
    public abstract string Kind { get; }

    /// <inheritdoc/>
    public abstract Task<string> ReadVersionAsync(CancellationToken cancellation);

    /// <inheritdoc/>
    public abstract Task<IReadOnlyList<string>> ListBackendsAsync(CancellationToken cancellation);

    /// <inheritdoc/>
    public async Task<Backend> ReadBackendAsync(MemberName backend, CancellationToken cancellation)
    {
        var table = await ReadTableAsync(backend, cancellation);
        var sessions = await CountAsync(table, cancellation);
        return new Backend(backend.Value, await Task.WhenAll(table.Members.Select(m => SeenAsync(m, sessions, cancellation))), MembersManaged: true);
    }

    /// <inheritdoc/>
    public async Task<Drained> DrainAsync(MemberKey member, DrainOptions options, IOperationReport report, CancellationToken cancellation)
    {
        var before = Of(await ReadTableAsync(member.Backend, cancellation), member);
        var changed = before.IsOut
            ? await ChangeAsync(member.Backend, table => table, report, cancellation)
            : await TakeOutAsync(member, options, report, cancellation);
        var drained = await new TableDrain(this, member, timings, time).WaitAsync(options.Deadline, report, cancellation);
        return drained with { Unchanged = before.IsOut && !changed && drained.Unchanged };
    }

    /// <inheritdoc/>
    public Task<Undrained> UndrainAsync(
        MemberName backend, PutIn member, TimeSpan deadline, IOperationReport report, CancellationToken cancellation)
        => MoveAsync(backend, new BalancerMove([member], []), deadline, report, cancellation);

    /// <inheritdoc/>
    public async Task<Undrained> MoveAsync(
        MemberName backend, BalancerMove move, TimeSpan deadline, IOperationReport report, CancellationToken cancellation)
    {
        var begun = time.GetTimestamp();
        // What cannot be done is refused before anything is waited for; it is decided again on the table that is then changed.
        var wanted = Moved(await ReadTableAsync(backend, cancellation), backend, move);
        var told = "";
        while (true)
        {
            var asked = await Task.WhenAll(move.Into.Select(async m => (m.Member, Why: await MemberProbe.WhyNotAsync(wanted.Find(m.Member)!.Address, cancellation))));
            var waiting = asked.Where(a => a.Why is not null).ToList();
            if (waiting.Count == 0) break;
            var elapsed = time.GetElapsedTime(begun);
            var (member, why) = waiting[0];
            if (elapsed >= deadline) throw BalancerErrors.NotAccepting(name, new MemberKey(backend, member), wanted.Find(member)!.Address, why!, elapsed);
            var states = string.Join(", ", waiting.Select(w => $"{w.Member} ({w.Why})"));
            if (told != states) report.Message($"waiting for members of {backend} to accept connections: {told = states}");
            await PauseAsync(deadline - elapsed, cancellation);
        }

        var changed = await ChangeAsync(backend, table => Moved(table, backend, move), report, cancellation);
        return new Undrained(time.GetElapsedTime(begun), StatusOf(MemberState.Ready), Unchanged: !changed);
    }

    /// <inheritdoc/>
    public async Task<Done> RemoveAsync(MemberKey member, IOperationReport report, CancellationToken cancellation)
    {
        if ((await ReadTableAsync(member.Backend, cancellation)).Find(member.Member) is null) return new Done(Unchanged: true);
        var changed = await ChangeAsync(
            member.Backend,
            table => table.Find(member.Member) is { IsOut: false } seen
                ? throw BalancerErrors.InRotation(name, member, Seen(seen, null, 0))
                : table.Without(member.Member),
            report,
            cancellation);
        return new Done(Unchanged: !changed);
    }

    /// <inheritdoc/>
    public async Task<Done> MaintenanceAsync(MemberKey member, IOperationReport report, CancellationToken cancellation)
    {
        var changed = await ChangeAsync(
            member.Backend, table => table.With(Of(table, member).Name, MemberState.Maintenance), report, cancellation);
        return new Done(Unchanged: !changed);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>The members as the configuration has them that the balancer serves by.</summary>
    /// <exception cref="OperatorException">BALANCER_UNREACHABLE, BACKEND_NOT_FOUND, CONFIG_EDITED.</exception>
    public abstract Task<MemberTable> ReadTableAsync(MemberName backend, CancellationToken cancellation);

    /// <summary>Changes the configuration and returns when the balancer serves by it. Changes at the same time take turns.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="change">What it comes to, from what is there; may be asked more than once, and may throw.</param>
    /// <param name="report">For what people should know.</param>
    /// <param name="cancellation">Stops before anything is changed, never halfway.</param>
    /// <returns>False when the balancer serves by it already.</returns>
    public abstract Task<bool> ChangeAsync(
        MemberName backend, Func<MemberTable, MemberTable> change, IOperationReport report, CancellationToken cancellation);

    /// <summary>Begins to watch what a member has in flight that was just taken out.</summary>
    public abstract ITableWatch Watch(MemberKey member);

    /// <summary>A member of the table.</summary>
    /// <exception cref="OperatorException">MEMBER_NOT_FOUND.</exception>
    public TableMember Of(MemberTable table, MemberKey member)
        => table.Find(member.Member)
            ?? throw BalancerErrors.NoSuchMember(name, member, new Backend(member.Backend.Value, [.. table.Members.Select(m => Seen(m, null, 0))]));

    /// <summary>What is in flight at each address, as far as the balancer can tell; addresses that are not in it have nothing.</summary>
    protected abstract Task<IReadOnlyDictionary<string, int>> CountAsync(MemberTable table, CancellationToken cancellation);

    /// <summary>Frees what the kind holds.</summary>
    protected virtual void Dispose(bool disposing) => othersUp.Dispose();

    private MemberTable Moved(MemberTable table, MemberName backend, BalancerMove move)
    {
        var moved = table;
        foreach (var into in move.Into)
        {
            var key = new MemberKey(backend, into.Member);
            var address = into.Address?.ToString();
            if (table.Find(into.Member) is null && address is null) Of(table, key);
            // One that somebody wrote without a name is this one when it has its address.
            var seen = table.Find(into.Member) ?? table.Members.FirstOrDefault(m => m.Address == address && m.Name == TableMember.NameOf(m.Address));
            if (seen is { IsOut: false } && address is not null && seen.Address != address)
                throw BalancerErrors.AddressDiffers(name, key, Seen(seen, null, 0), into.Address!);
            if (seen is not null && seen.Name != into.Member)
                moved = new MemberTable([.. moved.Members.Select(m => m.Name == seen.Name ? m with { Name = into.Member } : m)]);
            moved = moved.With(new TableMember(into.Member, address ?? seen!.Address, MemberState.Ready, into.Weight, seen?.Options ?? ""));
        }

        foreach (var leaving in move.OutOf)
        {
            if (!Of(table, new MemberKey(backend, leaving)).IsOut) moved = moved.With(leaving, MemberState.Draining);
        }

        return moved;
    }

    private Task<bool> TakeOutAsync(MemberKey member, DrainOptions options, IOperationReport report, CancellationToken cancellation)
        => othersUp.TakeOutAsync(
            member,
            options,
            timings.Look,
            async () => (await ReadBackendAsync(member.Backend, cancellation)).Members,
            () => ChangeAsync(
                member.Backend, table => Of(table, member).IsOut ? table : table.With(member.Member, MemberState.Draining), report, cancellation),
            OthersUp.TellChanges(report),
            cancellation);

    private static async Task<Member> SeenAsync(TableMember member, IReadOnlyDictionary<string, int> sessions, CancellationToken cancellation)
    {
        var why = member.IsOut ? null : await MemberProbe.WhyNotAsync(member.Address, cancellation);
        return Seen(member, why, sessions.GetValueOrDefault(member.Address));
    }

    private static Member Seen(TableMember member, string? whyNot, int sessions)
    {
        var state = whyNot is null ? member.State : MemberState.Down;
        return new Member
        {
            Name = member.Name.Value,
            Address = member.Address,
            State = state,
            Status = StatusOf(state),
            Weight = member.Weight,
            Sessions = sessions,
            LastCheck = whyNot ?? "",
        };
    }

    /// <summary>These balancers have no words of their own for it.</summary>
    private static string StatusOf(MemberState state) => state switch
    {
        MemberState.Ready => "ready",
        MemberState.Draining => "draining",
        MemberState.Maintenance => "maintenance",
        MemberState.Down => "not accepting",
        _ => throw new ArgumentOutOfRangeException(nameof(state), state, null),
    };

    private Task PauseAsync(TimeSpan left, CancellationToken cancellation)
        => Task.Delay(left < timings.Look ? left : timings.Look, time, cancellation);
}

/// <summary>Watches what a member has in flight that was taken out.</summary>
internal interface ITableWatch : IDisposable
{
    /// <summary>Looks.</summary>
    /// <exception cref="OperatorException">BALANCER_UNREACHABLE and other reasons for which nothing is known.</exception>
    Task<TableLook> LookAsync(TableMember member, CancellationToken cancellation);
}

/// <summary>What a member that was taken out has in flight.</summary>
/// <param name="Sessions">As far as the balancer can tell.</param>
/// <param name="IsOver">There is nothing, and nothing can come.</param>
/// <param name="Left">When it is not over: what is left and what is known of it, for people.</param>
internal sealed record TableLook(int Sessions, bool IsOver, string Left);
