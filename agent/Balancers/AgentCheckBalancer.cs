using Decant.Agent.Instances;
using Decant.Agent.Operations;
using Decant.Errors;
using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>
/// HAProxies that no agent may touch, but that ask this one (agent-check). A backend is an app, its members are that app's slots on this
/// host. A member is out when every HAProxy that asks has been told so, and drained when no connection to its port is left: HAProxy's idle
/// connections count as well, since nobody but HAProxy can tell them apart.
/// </summary>
internal sealed class AgentCheckBalancer(BalancerName name, AgentCheckDesk desk, AgentCheckTimings timings, TimeProvider time) : IBalancer, IDisposable
{
    private readonly OthersUp othersUp = new(name, time);

    /// <inheritdoc/>
    public BalancerName Name => name;

    /// <inheritdoc/>
    public string Kind => "agent-check";

    /// <inheritdoc/>
    public Task<string> ReadVersionAsync(CancellationToken cancellation) => Task.Run(
        () =>
        {
            var askers = desk.Slots().SelectMany(s => desk.Askers(s.Key)).Select(a => a.Name).Distinct().ToList();
            return askers.Count == 0 ? throw NobodyAsks("any slot of this host") : $"asked by {string.Join(", ", askers)}";
        },
        cancellation);

    /// <inheritdoc/>
    public Task<IReadOnlyList<string>> ListBackendsAsync(CancellationToken cancellation) => Task.Run(Apps, cancellation);

    /// <inheritdoc/>
    public Task<Backend> ReadBackendAsync(MemberName backend, CancellationToken cancellation) => Task.Run(
        () =>
        {
            var seen = Read(backend);
            return seen.Members.All(m => desk.Askers(new InstanceKey(AppName.Parse(backend.Value), SlotName.Parse(m.Name))).Count == 0)
                ? throw NobodyAsks($"any slot of {backend}")
                : seen;
        },
        cancellation);

    /// <inheritdoc/>
    public async Task<Drained> DrainAsync(MemberKey member, DrainOptions options, IOperationReport report, CancellationToken cancellation)
    {
        var slot = SlotOf(member);
        var before = desk.Answer(slot.Key);
        if (before.IsOut && EverybodyKnows(slot.Key) && Connections(slot) == 0) return new Drained(TimeSpan.Zero, 0, Unchanged: true);
        if (!before.IsOut) await TakeOutAsync(slot, member, options, report, cancellation);
        try
        {
            await TellEverybodyAsync(slot.Key, options.Deadline, report, cancellation);
        }
        catch (OperatorException) when (!before.IsOut)
        {
            // Its instance goes on: a HAProxy that comes back must not find it out of rotation because nobody listened.
            desk.Set(slot.Key, before.State, before.Weight);
            throw;
        }

        return await EmptyAsync(slot, member, options.Deadline, report, cancellation);
    }

    /// <inheritdoc/>
    public async Task<Undrained> UndrainAsync(
        MemberName backend, PutIn member, TimeSpan deadline, IOperationReport report, CancellationToken cancellation)
        => await PutInAsync(backend, [member], deadline, report, cancellation);

    /// <inheritdoc/>
    public async Task<Undrained> MoveAsync(
        MemberName backend, BalancerMove move, TimeSpan deadline, IOperationReport report, CancellationToken cancellation)
    {
        var leaving = move.OutOf.Select(m => SlotOf(new MemberKey(backend, m)).Key).ToList();
        var before = leaving.Concat(move.Into.Select(m => SlotOf(new MemberKey(backend, m.Member)).Key)).ToDictionary(k => k, desk.Answer);
        try
        {
            var up = await PutInAsync(backend, move.Into, deadline, report, cancellation);
            var still = leaving.Where(k => !desk.Answer(k).IsOut).ToList();
            foreach (var key in still) desk.Set(key, MemberState.Draining, desk.Answer(key).Weight);
            foreach (var key in leaving) await TellEverybodyAsync(key, deadline, report, cancellation);
            return up with { Unchanged = up.Unchanged && still.Count == 0 };
        }
        catch (Exception exception) when (exception is OperatorException or OperationCanceledException)
        {
            foreach (var (key, was) in before.Where(b => desk.Answer(b.Key).State != b.Value.State)) desk.Set(key, was.State, was.Weight);
            throw;
        }
    }

    /// <inheritdoc/>
    public async Task<Done> RemoveAsync(MemberKey member, IOperationReport report, CancellationToken cancellation)
    {
        if ((await ReadBackendAsync(member.Backend, cancellation)).Find(member.Member) is { IsOut: false } seen) throw BalancerErrors.InRotation(name, member, seen);
        report.Message($"{member} stays in HAProxy's configuration, out of rotation: an agent that is asked cannot delete it");
        return new Done(Unchanged: true);
    }

    /// <inheritdoc/>
    public async Task<Done> MaintenanceAsync(MemberKey member, IOperationReport report, CancellationToken cancellation)
    {
        var slot = SlotOf(member);
        var unchanged = desk.Answer(slot.Key).State == MemberState.Maintenance && EverybodyKnows(slot.Key);
        if (!unchanged) desk.Set(slot.Key, MemberState.Maintenance, desk.Answer(slot.Key).Weight);
        await TellEverybodyAsync(slot.Key, timings.Ask, report, cancellation);
        return new Done(unchanged);
    }

    /// <inheritdoc/>
    public void Dispose() => othersUp.Dispose();

    private Task<bool> TakeOutAsync(CheckedSlot slot, MemberKey member, DrainOptions options, IOperationReport report, CancellationToken cancellation)
    {
        var told = false;
        return othersUp.TakeOutAsync(
            member,
            options,
            timings.Look,
            () => Task.FromResult(Read(member.Backend).Members),
            () =>
            {
                desk.Set(slot.Key, MemberState.Draining, desk.Answer(slot.Key).Weight);
                return Task.FromResult(true);
            },
            (waiting, _) =>
            {
                if (!told) report.Message(waiting);
                told = true;
            },
            cancellation);
    }

    private async Task<Undrained> PutInAsync(
        MemberName backend, IReadOnlyList<PutIn> members, TimeSpan deadline, IOperationReport report, CancellationToken cancellation)
    {
        var slots = members.Select(m => (PutIn: m, Slot: SlotOf(new MemberKey(backend, m.Member)))).ToList();
        foreach (var (putIn, slot) in slots)
        {
            if (putIn.Address is { } address && address.Port != slot.Port)
                throw BalancerErrors.AddressDiffers(name, new MemberKey(backend, putIn.Member), ToMember(slot), address);
        }

        var wrong = slots.Where(s => desk.Answer(s.Slot.Key) is var a && (a.State != MemberState.Ready || a.Weight != s.PutIn.Weight)).ToList();
        foreach (var (putIn, slot) in wrong) desk.Set(slot.Key, MemberState.Ready, putIn.Weight);
        var begun = time.GetTimestamp();
        foreach (var (putIn, slot) in slots)
        {
            await TellEverybodyAsync(slot.Key, deadline - time.GetElapsedTime(begun), report, cancellation);
            while (!desk.Askers(slot.Key).All(a => a.ToldUp))
            {
                var key = new MemberKey(backend, putIn.Member);
                var left = deadline - time.GetElapsedTime(begun);
                if (left <= TimeSpan.Zero) throw BalancerErrors.NotUp(name, key, ToMember(SlotOf(key)), deadline);
                await PauseAsync(left, cancellation);
            }
        }

        return new Undrained(time.GetElapsedTime(begun), "told ready", Unchanged: wrong.Count == 0);
    }

    /// <summary>Waits until every HAProxy has asked since the last change.</summary>
    private async Task TellEverybodyAsync(InstanceKey key, TimeSpan deadline, IOperationReport report, CancellationToken cancellation)
    {
        var begun = time.GetTimestamp();
        for (var told = false; !EverybodyKnows(key); told = true)
        {
            var askers = desk.Askers(key);
            var waited = time.GetElapsedTime(begun);
            if (waited >= deadline) throw NotAsked(key, askers, waited);
            if (!told) report.Message($"waiting for HAProxy to ask for {key}{(askers.Count == 0 ? ": nobody has asked lately" : "")}");
            await PauseAsync(deadline - waited, cancellation);
        }
    }

    private async Task<Drained> EmptyAsync(CheckedSlot slot, MemberKey member, TimeSpan deadline, IOperationReport report, CancellationToken cancellation)
    {
        var begun = time.GetTimestamp();
        var reported = -1;
        long? emptySince = null;
        while (true)
        {
            var connections = Connections(slot);
            var elapsed = time.GetElapsedTime(begun);
            if (connections != reported) report.Draining(reported = connections, elapsed);
            emptySince = connections == 0 ? emptySince ?? time.GetTimestamp() : null;
            if (emptySince is { } since && time.GetElapsedTime(since) >= timings.Settle) return new Drained(elapsed, 0);
            if (!desk.Answer(slot.Key).IsOut) throw BalancerErrors.Refused(name, "drain", $"somebody put {member} back while it drained");
            if (elapsed >= deadline)
            {
                report.Message($"{member} still has {connections} connections after {elapsed.TotalSeconds:0.#} s, idle ones included: they are cut when the instance stops");
                return new Drained(elapsed, connections);
            }

            await PauseAsync(deadline - elapsed, cancellation);
        }
    }

    private bool EverybodyKnows(InstanceKey key) => desk.Askers(key) is { Count: > 0 } askers && askers.All(a => a.Knows);

    private Backend Read(MemberName backend)
    {
        var slots = desk.Slots().Where(s => s.Key.App.Value == backend.Value).ToList();
        if (slots.Count == 0) throw BalancerErrors.NoSuchBackend(name, backend, Apps());
        return new Backend(backend.Value, [.. slots.Select(ToMember)]);
    }

    private Member ToMember(CheckedSlot slot)
    {
        var answer = desk.Answer(slot.Key);
        var askers = desk.Askers(slot.Key);
        return new Member
        {
            Name = slot.Key.Slot.Value,
            Address = slot.Port == 0 ? "" : $"127.0.0.1:{slot.Port}",
            State = answer.IsOut ? answer.State : slot.WhyDown is null ? MemberState.Ready : MemberState.Down,
            Status = answer.Words(slot.WhyDown),
            Weight = answer.Weight,
            Sessions = Connections(slot),
            LastCheck = askers.Count == 0 ? "nobody asks" : $"asked by {string.Join(", ", askers.Select(a => a.Knows ? a.Name : $"{a.Name} before the last change"))}",
        };
    }

    private CheckedSlot SlotOf(MemberKey member)
    {
        var slots = desk.Slots().Where(s => s.Key.App.Value == member.Backend.Value).ToList();
        if (slots.Count == 0) throw BalancerErrors.NoSuchBackend(name, member.Backend, Apps());
        return slots.Find(s => s.Key.Slot.Value == member.Member.Value)
            ?? throw BalancerErrors.NoSuchMember(name, member, new Backend(member.Backend.Value, [.. slots.Select(ToMember)]));
    }

    private IReadOnlyList<string> Apps() => [.. desk.Slots().Select(s => s.Key.App.Value).Distinct()];

    private static int Connections(CheckedSlot slot) => slot.Port == 0 ? 0 : TcpTable.Inodes(slot.Port, TcpTable.Established).Count();

    private Task PauseAsync(TimeSpan left, CancellationToken cancellation)
        => Task.Delay(left < timings.Look ? TimeSpan.FromMilliseconds(Math.Max(1, left.TotalMilliseconds)) : timings.Look, time, cancellation);

    private OperatorException NotAsked(InstanceKey key, IReadOnlyList<Asker> askers, TimeSpan waited) => askers.Count == 0
        ? NobodyAsks($"{key}")
        : BalancerErrors.Unreachable(
            name,
            $"{string.Join(", ", askers.Where(a => !a.Knows).Select(a => a.Name))} has not asked for {key} within {waited.TotalSeconds:0.#} s: it is told the next time it asks",
            "see whether that HAProxy runs and how often it asks (agent-inter)");

    private OperatorException NobodyAsks(string what) => BalancerErrors.Unreachable(
        name,
        $"no HAProxy asks for {what}",
        "give the server in HAProxy `agent-check agent-port 7421 agent-inter 1s agent-send \"APP/SLOT\\n\"`, and let HAProxy reach agent_check.listen");
}
