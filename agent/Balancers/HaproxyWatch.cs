using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>
/// One operation's view of HAProxy, over reloads and restarts: looks at the process that serves now, and at those on their way out
/// that this operation was connected to, because requests in flight stay with them. (A reload leaves the old process running until its
/// requests have ended; only connections made before still reach it.)
/// </summary>
internal sealed class HaproxyWatch(BalancerName balancer, HaproxyRuntime runtime, HaproxyTimings timings, TimeProvider time) : IDisposable
{
    private readonly List<HaproxyUse> leaving = [];
    private HaproxyUse? current;
    private long? goneSince;

    /// <summary>Counts the processes that were looked at: a new one has forgotten what was said to the one before, unless it has a state file.</summary>
    public int Generation { get; private set; }

    /// <summary>Looks at a backend.</summary>
    /// <param name="backend">Its name.</param>
    /// <param name="patient">HAProxy may be gone for a moment (an operation is under way); otherwise that is an error at once.</param>
    /// <param name="cancellation">Stops waiting.</param>
    /// <exception cref="Errors.OperatorException">BALANCER_UNREACHABLE, BACKEND_NOT_FOUND.</exception>
    public async Task<HaproxyLook> LookAsync(MemberName backend, bool patient, CancellationToken cancellation)
    {
        while (true)
        {
            try
            {
                if (await TryLookAsync(backend, cancellation) is { } look)
                {
                    goneSince = null;
                    return look;
                }
            }
            catch (HaproxyGoneException gone)
            {
                Drop();
                goneSince ??= time.GetTimestamp();
                if (!patient || time.GetElapsedTime(goneSince.Value) >= timings.Gone) throw BalancerErrors.Unreachable(balancer, gone.Message, gone.WhatNext, gone);
            }
            catch (FormatException garbage)
            {
                throw NotHaproxy(garbage);
            }

            await Task.Delay(timings.Look, time, cancellation);
        }
    }

    /// <summary>Asks the process that serves now.</summary>
    /// <exception cref="Errors.OperatorException">BALANCER_UNREACHABLE.</exception>
    public async Task<T> AskAsync<T>(string command, Func<string, T> read, CancellationToken cancellation)
    {
        try
        {
            return read(await AskAsync(command, cancellation));
        }
        catch (HaproxyGoneException gone)
        {
            throw BalancerErrors.Unreachable(balancer, gone.Message, gone.WhatNext, gone);
        }
        catch (FormatException garbage)
        {
            throw NotHaproxy(garbage);
        }
    }

    /// <summary>Sets a member's state. When HAProxy is gone meanwhile nothing is set: the next look tells.</summary>
    /// <exception cref="Errors.OperatorException">BALANCER_REFUSED.</exception>
    public async Task SetAsync(MemberKey member, string state, CancellationToken cancellation)
    {
        var command = $"set server {member} state {state}";
        try
        {
            var answer = await AskAsync(command, cancellation);
            if (!HaproxyReplies.IsDone(answer)) throw BalancerErrors.Refused(balancer, command, answer.Trim());
        }
        catch (HaproxyGoneException)
        {
            Drop();
        }
    }

    /// <summary>Gives a command. When HAProxy is gone meanwhile nothing is known of it: the next look tells.</summary>
    /// <param name="command">The command.</param>
    /// <param name="expected">The answer that means success; null: any.</param>
    /// <param name="cancellation">Stops waiting.</param>
    /// <exception cref="Errors.OperatorException">BALANCER_REFUSED.</exception>
    public async Task CommandAsync(string command, string? expected, CancellationToken cancellation)
    {
        if (await TryCommandAsync(command, cancellation) is { } answer && expected is not null && answer != expected)
            throw BalancerErrors.Refused(balancer, command, answer);
    }

    /// <summary>Gives a command.</summary>
    /// <returns>The answer; null when HAProxy is gone meanwhile.</returns>
    public async Task<string?> TryCommandAsync(string command, CancellationToken cancellation)
    {
        try
        {
            return (await AskAsync(command, cancellation)).Trim();
        }
        catch (HaproxyGoneException)
        {
            Drop();
            return null;
        }
    }

    /// <summary>A member's connections that were upgraded (websockets), in all processes.</summary>
    public async Task<IReadOnlyList<HaproxyTunnel>> TunnelsAsync(MemberKey member, CancellationToken cancellation)
    {
        var tunnels = new List<HaproxyTunnel>();
        foreach (var use in current is null ? leaving : leaving.Append(current))
        {
            try
            {
                tunnels.AddRange(HaproxyTunnel.Of(use.Session, member, await use.Session.AskAsync("show sess", cancellation)));
            }
            catch (HaproxyGoneException)
            {
                // Its streams are gone with it; the next look tells.
            }
        }

        return tunnels;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Drop();
        leaving.ForEach(use => use.Dispose());
        leaving.Clear();
    }

    private async Task<HaproxyLook?> TryLookAsync(MemberName backend, CancellationToken cancellation)
    {
        var info = HaproxyReplies.Info(await AskAsync("show info", cancellation));
        if (info.GetValueOrDefault("Stopping") == "1")
        {
            leaving.Add(current!);
            current = null;
            return null;
        }

        // 6: backends and servers. The name alone would also find a frontend of that name.
        var stat = await AskAsync($"show stat {backend} 6 -1", cancellation);
        if (HaproxyReplies.IsNoSuchBackend(stat))
        {
            var known = HaproxyReplies.Backends(await AskAsync("show stat -1 2 -1", cancellation));
            throw BalancerErrors.NoSuchBackend(balancer, backend, known);
        }

        var seen = HaproxyReplies.Backend(backend.Value, stat, await AskAsync($"show servers state {backend}", cancellation))
            ?? throw BalancerErrors.NoSuchBackend(balancer, backend, HaproxyReplies.Backends(await AskAsync("show stat -1 2 -1", cancellation)));
        return new HaproxyLook(seen, await LookAtLeavingAsync(backend, cancellation));
    }

    private async Task<IReadOnlyList<Backend>> LookAtLeavingAsync(MemberName backend, CancellationToken cancellation)
    {
        var seen = new List<Backend>();
        foreach (var use in leaving.ToList())
        {
            try
            {
                var stat = await use.Session.AskAsync($"show stat {backend} 6 -1", cancellation);
                var state = await use.Session.AskAsync($"show servers state {backend}", cancellation);
                if (HaproxyReplies.Backend(backend.Value, stat, state) is { } left) seen.Add(left);
            }
            catch (HaproxyGoneException)
            {
                // It has ended, and with it whatever it had in flight.
                leaving.Remove(use);
                use.Dispose();
            }
        }

        return seen;
    }

    private async Task<string> AskAsync(string command, CancellationToken cancellation)
    {
        if (current is null)
        {
            current = await runtime.ConnectAsync(leaving.Count > 0 ? leaving[^1].Session : null, cancellation);
            Generation++;
        }

        return await current.Session.AskAsync(command, cancellation);
    }

    private void Drop()
    {
        current?.Dispose();
        current = null;
    }

    private Errors.OperatorException NotHaproxy(FormatException garbage)
        => BalancerErrors.Unreachable(balancer, garbage.Message, "see whether the socket in agent.yml is HAProxy's stats socket", garbage);
}

/// <summary>A backend as HAProxy has it now.</summary>
/// <param name="Backend">In the process that serves.</param>
/// <param name="Leaving">In each process on its way out.</param>
internal sealed record HaproxyLook(Backend Backend, IReadOnlyList<Backend> Leaving)
{
    /// <summary>A member; null when it is not there.</summary>
    public Member? Find(MemberName name) => Backend.Members.FirstOrDefault(m => m.Name == name.Value);

    /// <summary>What a member has in flight and waiting, in all processes.</summary>
    public int LoadOf(MemberName name)
        => Leaving.Append(Backend).Sum(b => b.Members.FirstOrDefault(m => m.Name == name.Value)?.Load ?? 0);
}
