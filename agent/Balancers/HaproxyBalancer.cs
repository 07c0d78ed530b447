using Decant.Agent.Operations;
using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>HAProxy, driven through its stats socket.</summary>
internal sealed class HaproxyBalancer(BalancerName name, string socket, HaproxyTimings timings, TimeProvider time) : IBalancer, IDisposable
{
    private readonly HaproxyRuntime runtime = new(socket, timings, time);

    /// <summary>Held from counting the members that are up until one of them is drained: two drains at once must not both count the other.</summary>
    private readonly SemaphoreSlim choosing = new(1, 1);

    /// <inheritdoc/>
    public BalancerName Name => name;

    /// <inheritdoc/>
    public string Kind => "haproxy";

    /// <inheritdoc/>
    public async Task<string> ReadVersionAsync(CancellationToken cancellation)
    {
        using var watch = Watch();
        return await watch.AskAsync("show info", reply => HaproxyReplies.Info(reply)["Version"], cancellation);
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<string>> ListBackendsAsync(CancellationToken cancellation)
    {
        using var watch = Watch();
        return await watch.AskAsync("show stat -1 2 -1", HaproxyReplies.Backends, cancellation);
    }

    /// <inheritdoc/>
    public async Task<Backend> ReadBackendAsync(MemberName backend, CancellationToken cancellation)
    {
        using var watch = Watch();
        return (await watch.LookAsync(backend, patient: false, cancellation)).Backend;
    }

    /// <inheritdoc/>
    public async Task<Drained> DrainAsync(MemberKey member, DrainOptions options, IOperationReport report, CancellationToken cancellation)
    {
        using var watch = Watch();
        var first = await watch.LookAsync(member.Backend, patient: false, cancellation);
        var isOut = Of(first, member).IsOut;
        if (isOut && first.LoadOf(member.Member) == 0) return new Drained(TimeSpan.Zero, 0, Unchanged: true);

        if (!isOut) await TakeOutAsync(watch, member, options, report, cancellation);
        return await new HaproxyDrain(watch, name, member, timings, time).WaitAsync(options.Deadline, report, cancellation);
    }

    /// <inheritdoc/>
    public async Task<Undrained> UndrainAsync(MemberKey member, TimeSpan deadline, IOperationReport report, CancellationToken cancellation)
    {
        using var watch = Watch();
        var begun = time.GetTimestamp();
        var seen = Of(await watch.LookAsync(member.Backend, patient: false, cancellation), member);
        if (IsSurelyUp(seen)) return new Undrained(TimeSpan.Zero, seen.Status, Unchanged: true);

        var told = "";
        for (var set = 0; ;)
        {
            // Once for each process: a new one may have read a state file in which the member is out.
            if (seen.IsOut && set < watch.Generation)
            {
                set = watch.Generation;
                await watch.SetAsync(member, "ready", cancellation);
            }

            seen = Of(await watch.LookAsync(member.Backend, patient: true, cancellation), member);
            var elapsed = time.GetElapsedTime(begun);
            if (IsSurelyUp(seen)) return new Undrained(elapsed, seen.Status);
            if (elapsed >= deadline) throw BalancerErrors.NotUp(name, member, seen, elapsed);
            if (told != seen.ToString())
            {
                told = seen.ToString();
                report.Message($"waiting for HAProxy's own checks to call {member} up: {told}");
            }

            await PauseAsync(deadline - elapsed, cancellation);
        }
    }

    /// <inheritdoc/>
    public async Task<Done> MaintenanceAsync(MemberKey member, IOperationReport report, CancellationToken cancellation)
    {
        using var watch = Watch();
        var seen = Of(await watch.LookAsync(member.Backend, patient: false, cancellation), member);
        if (seen.State == MemberState.Maintenance) return new Done(Unchanged: true);

        // Again when a reload came between, and the process that was told is on its way out.
        for (var set = 0; seen.State != MemberState.Maintenance;)
        {
            if (set == watch.Generation) throw BalancerErrors.Refused(name, $"set server {member} state maint", $"it is {seen.Status} still");
            set = watch.Generation;
            await watch.SetAsync(member, "maint", cancellation);
            seen = Of(await watch.LookAsync(member.Backend, patient: true, cancellation), member);
        }

        return new Done();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        runtime.Dispose();
        choosing.Dispose();
    }

    /// <summary>
    /// "UP 1/2" is not enough: a member that leaves maintenance is called so at once and is checked only then; "UP" comes with the first
    /// check that passes.
    /// </summary>
    private static bool IsSurelyUp(Member seen) => seen.State == MemberState.Ready && seen.Status is "UP" or "no check";

    private async Task TakeOutAsync(HaproxyWatch watch, MemberKey member, DrainOptions options, IOperationReport report, CancellationToken cancellation)
    {
        var begun = time.GetTimestamp();
        var told = "";
        while (true)
        {
            IReadOnlyList<Member> others;
            await choosing.WaitAsync(cancellation);
            try
            {
                var look = await watch.LookAsync(member.Backend, patient: true, cancellation);
                Of(look, member);
                others = [.. look.Backend.Members.Where(m => m.Name != member.Member.Value)];
                if (others.Count(m => m.State == MemberState.Ready) >= options.MinOthersUp)
                {
                    await watch.SetAsync(member, "drain", cancellation);
                    return;
                }
            }
            finally
            {
                choosing.Release();
            }

            var waited = time.GetElapsedTime(begun);
            if (waited >= options.Deadline) throw BalancerErrors.TooFewInRotation(name, member, options.MinOthersUp, others, waited);
            var states = string.Join(", ", others);
            if (told != states)
            {
                told = states;
                report.Message($"waiting for {options.MinOthersUp} other members of {member.Backend} to be up before {member.Member} is drained: {states}");
            }

            await PauseAsync(options.Deadline - waited, cancellation);
        }
    }

    private Member Of(HaproxyLook look, MemberKey member)
        => look.Find(member.Member) ?? throw BalancerErrors.NoSuchMember(name, member, look.Backend);

    private Task PauseAsync(TimeSpan left, CancellationToken cancellation)
        => Task.Delay(left < timings.Look ? left : timings.Look, time, cancellation);

    private HaproxyWatch Watch() => new(name, runtime, timings, time);
}
