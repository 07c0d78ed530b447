using System.Globalization;
using Decant.Agent.Configuration;
using Decant.Agent.Operations;
using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>A balancer that a program of this host drives: a cloud's, or any that the agent does not know (decant-balancer(7)).</summary>
internal sealed class CommandBalancer(BalancerName name, BalancerSettings.Command settings, CommandTimings timings, TimeProvider time) : IBalancer, IDisposable
{
    private readonly CommandRun command = new(name, settings, time);
    private readonly OthersUp othersUp = new(name, time);

    /// <inheritdoc/>
    public BalancerName Name => name;

    /// <inheritdoc/>
    public string Kind => "command";

    /// <inheritdoc/>
    public async Task<string> ReadVersionAsync(CancellationToken cancellation) => (await BackendsAsync(cancellation)).Version!;

    /// <inheritdoc/>
    public async Task<IReadOnlyList<string>> ListBackendsAsync(CancellationToken cancellation) => (await BackendsAsync(cancellation)).Backends!;

    /// <inheritdoc/>
    public async Task<Backend> ReadBackendAsync(MemberName backend, CancellationToken cancellation)
        => Understood(CommandReplies.Backend, backend.Value, await command.RunAsync(["backend", backend.Value], cancellation));

    /// <inheritdoc/>
    public async Task<Drained> DrainAsync(MemberKey member, DrainOptions options, IOperationReport report, CancellationToken cancellation)
    {
        var first = await SeeAsync(member, cancellation);
        if (first is { IsOut: true, Load: 0 }) return new Drained(TimeSpan.Zero, 0, Unchanged: true);
        if (!first.IsOut) await TakeOutAsync(member, options, report, cancellation);

        var begun = time.GetTimestamp();
        for (var reported = -1; ;)
        {
            var seen = await SeeAsync(member, cancellation);
            var elapsed = time.GetElapsedTime(begun);
            if (!seen.IsOut) throw BalancerErrors.Refused(name, $"drain {member.Backend} {member.Member}", $"it was done, and the member is {seen} still");
            if (seen.Load != reported) report.Draining(reported = seen.Load, elapsed);
            if (seen.Load == 0) return new Drained(elapsed, 0);
            if (elapsed >= options.Deadline)
            {
                report.Message($"{member} still has {seen.Load} sessions after {elapsed.TotalSeconds:0.#} s: they are cut when the instance stops");
                return new Drained(elapsed, seen.Load);
            }

            await PauseAsync(options.Deadline - elapsed, cancellation);
        }
    }

    /// <inheritdoc/>
    public Task<Undrained> UndrainAsync(MemberName backend, PutIn member, TimeSpan deadline, IOperationReport report, CancellationToken cancellation)
        => PutInAsync(backend, [member], deadline, report, cancellation);

    /// <inheritdoc/>
    public async Task<Undrained> MoveAsync(MemberName backend, BalancerMove move, TimeSpan deadline, IOperationReport report, CancellationToken cancellation)
    {
        var before = await ReadBackendAsync(backend, cancellation);
        foreach (var leaving in move.OutOf)
            if (before.Find(leaving) is null) throw BalancerErrors.NoSuchMember(name, new MemberKey(backend, leaving), before);
        Undrained up;
        try
        {
            up = await PutInAsync(backend, move.Into, deadline, report, cancellation);
        }
        catch (Exception exception) when (exception is Errors.OperatorException { Error.Reason: not BalancerErrors.NotReachable } or OperationCanceledException)
        {
            var now = await ReadBackendAsync(backend, CancellationToken.None);
            foreach (var member in move.Into.Select(m => m.Member).Where(m => before.Find(m) is null or { IsOut: true } && now.Find(m) is { IsOut: false }))
                await command.RunAsync(["drain", backend.Value, member.Value], CancellationToken.None);
            throw;
        }

        var still = move.OutOf.Where(m => before.Find(m) is { IsOut: false }).ToList();
        foreach (var member in still) await command.RunAsync(["drain", backend.Value, member.Value], cancellation);
        return up with { Unchanged = up.Unchanged && still.Count == 0 };
    }

    /// <inheritdoc/>
    public async Task<Done> RemoveAsync(MemberKey member, IOperationReport report, CancellationToken cancellation)
    {
        if ((await ReadBackendAsync(member.Backend, cancellation)).Find(member.Member) is not { } seen) return new Done(Unchanged: true);
        if (!seen.IsOut) throw BalancerErrors.InRotation(name, member, seen);
        await command.RunAsync(["remove", member.Backend.Value, member.Member.Value], cancellation);
        return new Done();
    }

    /// <inheritdoc/>
    public async Task<Done> MaintenanceAsync(MemberKey member, IOperationReport report, CancellationToken cancellation)
    {
        if ((await SeeAsync(member, cancellation)).State == MemberState.Maintenance) return new Done(Unchanged: true);
        await command.RunAsync(["maintenance", member.Backend.Value, member.Member.Value], cancellation);
        return new Done();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        command.Dispose();
        othersUp.Dispose();
    }

    private Task<string> TakeOutAsync(MemberKey member, DrainOptions options, IOperationReport report, CancellationToken cancellation)
    {
        var told = false;
        return othersUp.TakeOutAsync(
            member,
            options,
            timings.Look,
            async () => (await ReadBackendAsync(member.Backend, cancellation)).Members,
            () => command.RunAsync(["drain", member.Backend.Value, member.Member.Value], cancellation),
            (waiting, others) =>
            {
                if (!told) report.Message($"{waiting}: {others}");
                told = true;
            },
            cancellation);
    }

    private async Task<Undrained> PutInAsync(
        MemberName backend, IReadOnlyList<PutIn> members, TimeSpan deadline, IOperationReport report, CancellationToken cancellation)
    {
        var begun = time.GetTimestamp();
        var first = await ReadBackendAsync(backend, cancellation);
        var wrong = members.Where(m => first.Find(m.Member) is not { IsOut: false } seen || seen.Weight != m.Weight || !IsAt(seen, m)).ToList();
        foreach (var member in wrong)
        {
            await command.RunAsync(
                ["undrain", backend.Value, member.Member.Value, member.Address?.ToString() ?? "-", member.Weight.ToString(CultureInfo.InvariantCulture)], cancellation);
        }

        for (var told = ""; ;)
        {
            var seen = await ReadBackendAsync(backend, cancellation);
            var elapsed = time.GetElapsedTime(begun);
            var waiting = members.Where(m => seen.Find(m.Member) is not { State: MemberState.Ready } found || !IsAt(found, m)).Select(m => m.Member).ToList();
            if (waiting.Count == 0) return new Undrained(elapsed, string.Join(", ", members.Select(m => seen.Find(m.Member)!.Status).Distinct()), wrong.Count == 0);
            if (elapsed >= deadline) throw BalancerErrors.NotUp(name, new MemberKey(backend, waiting[0]), seen.Find(waiting[0]), elapsed);
            var states = string.Join(", ", waiting.Select(m => seen.Find(m)?.ToString() ?? $"{m} is not there"));
            if (told != states) report.Message($"waiting for the balancer to call up in {backend}: {told = states}");
            await PauseAsync(deadline - elapsed, cancellation);
        }
    }

    private async Task<Member> SeeAsync(MemberKey member, CancellationToken cancellation)
    {
        var backend = await ReadBackendAsync(member.Backend, cancellation);
        return backend.Find(member.Member) ?? throw BalancerErrors.NoSuchMember(name, member, backend);
    }

    private async Task<CommandBackends> BackendsAsync(CancellationToken cancellation)
        => Understood((_, json) => CommandReplies.Backends(json), "", await command.RunAsync(["backends"], cancellation));

    private T Understood<T>(Func<string, string, T> read, string backend, string json)
    {
        try
        {
            return read(backend, json);
        }
        catch (FormatException garbage)
        {
            var shown = string.Concat(json.Trim().Take(120).Select(c => char.IsControl(c) ? ' ' : c));
            throw BalancerErrors.Unreachable(
                name,
                $"{settings.Program} printed \"{(shown.Length == 0 ? "(nothing)" : shown)}\": {garbage.Message}",
                "run it by hand and compare what it prints with decant-balancer(7)",
                garbage);
        }
    }

    private static bool IsAt(Member seen, PutIn member) => member.Address is null || seen.Address == member.Address.ToString();

    private Task PauseAsync(TimeSpan left, CancellationToken cancellation)
        => Task.Delay(left < timings.Look ? TimeSpan.FromMilliseconds(Math.Max(1, left.TotalMilliseconds)) : timings.Look, time, cancellation);
}

/// <summary>How often the program is asked.</summary>
internal sealed record CommandTimings
{
    /// <summary>Between two looks: cloud APIs count their calls.</summary>
    public TimeSpan Look { get; init; } = TimeSpan.FromSeconds(1);
}
