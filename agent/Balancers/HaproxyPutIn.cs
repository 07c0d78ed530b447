using System.Net;
using System.Net.Sockets;
using Decant.Agent.Configuration;
using Decant.Agent.Operations;
using Decant.Errors;
using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>Puts members into HAProxy's rotation, makes those that are missing where it may, and waits until HAProxy itself calls all of them up.</summary>
internal sealed class HaproxyPutIn(
    HaproxyWatch watch,
    BalancerName balancer,
    BalancerSettings.Haproxy settings,
    MemberName backend,
    IReadOnlyList<PutIn> members,
    HaproxyTimings timings,
    TimeProvider time)
{
    /// <summary>What HAProxy calls a check that passed (management guide, show stat, check_status).</summary>
    private static readonly string[] Passed = ["L4OK", "L6OK", "L7OK", "L7OKC", "PROCOK"];

    private readonly long begun = time.GetTimestamp();
    private readonly HashSet<MemberName> wereThere = [];
    private string told = "";

    /// <summary>Puts them in. May be called again, within the same deadline, when a reload has undone it.</summary>
    /// <exception cref="OperatorException">MEMBER_NOT_FOUND, ADDRESS_DIFFERS, ADDRESS_UNKNOWN, WEIGHT_TOO_COARSE, MEMBER_NOT_UP.</exception>
    public async Task<Undrained> RunAsync(TimeSpan deadline, IOperationReport report, CancellationToken cancellation)
    {
        var wanted = await Task.WhenAll(members.Select(m => ResolvedAsync(m, cancellation)));
        var first = await watch.LookAsync(backend, patient: false, cancellation);
        if (wanted.All(m => first.Find(m.Member) is { } seen && IsSurelyUp(seen) && IsShare(seen, m.Weight) && IsAt(seen, m)))
            return new Undrained(time.GetElapsedTime(begun), StatusOf(first), Unchanged: true);

        for (var set = 0; ;)
        {
            var look = await watch.LookAsync(backend, patient: true, cancellation);
            // Once for each process: a new one has forgotten what was made, and may have read a state file in which a member is out.
            if (set < watch.Generation)
            {
                set = watch.Generation;
                try
                {
                    foreach (var member in wanted) await SetAsync(member, look, report, cancellation);
                }
                catch (OperatorException) when (set != watch.Generation)
                {
                    // Half of it was said to a process that is gone: all of it again to its successor.
                    continue;
                }

                look = await watch.LookAsync(backend, patient: true, cancellation);
            }

            var elapsed = time.GetElapsedTime(begun);
            var waiting = members.Where(m => look.Find(m.Member) is not { } seen || !IsSurelyUp(seen)).Select(m => m.Member).ToList();
            if (waiting.Count == 0) return new Undrained(elapsed, StatusOf(look));
            if (elapsed >= deadline) throw BalancerErrors.NotUp(balancer, Key(waiting[0]), look.Find(waiting[0]), elapsed);
            Tell(string.Join(", ", waiting.Select(m => look.Find(m)?.ToString() ?? $"{m} is not there")), report);

            var left = deadline - elapsed;
            await Task.Delay(left < timings.Look ? left : timings.Look, time, cancellation);
        }
    }

    private void Tell(string states, IOperationReport report)
    {
        if (told == states) return;
        told = states;
        report.Message($"waiting for HAProxy's own checks to call up in {backend}: {told}");
    }

    private async Task SetAsync(PutIn member, HaproxyLook look, IOperationReport report, CancellationToken cancellation)
    {
        var key = Key(member.Member);
        var seen = look.Find(member.Member);
        if (seen is null)
        {
            if (!wereThere.Add(member.Member)) report.Message($"{key}, which the agent had made, is gone: HAProxy was reloaded or restarted; making it again");
            await AddAsync(member, look, cancellation);
        }
        else
        {
            wereThere.Add(member.Member);
            if (!IsAt(seen, member)) await SetAddressAsync(member, seen, cancellation);
        }

        if (seen is null || !IsShare(seen, member.Weight)) await SetWeightAsync(member, cancellation);
        if (seen is null or { State: MemberState.Maintenance } || !IsAt(seen, member)) await ForgetChecksAsync(key, cancellation);
        if (seen is null or { IsOut: true }) await watch.SetAsync(key, "ready", cancellation);
    }

    /// <summary>A server made at run time takes nothing from `default-server`, and starts in maintenance (management guide, add server).</summary>
    private async Task AddAsync(PutIn member, HaproxyLook look, CancellationToken cancellation)
    {
        var key = Key(member.Member);
        if (settings.Members == MemberManagement.Fixed || member.Address is not { } address)
            throw BalancerErrors.NoSuchMember(balancer, key, look.Backend);
        await watch.CommandAsync($"add server {key} {address} {settings.MemberOptions}", "New server registered.", cancellation);
        if (settings.MemberOptions.Split(' ').Contains("check")) await watch.CommandAsync($"enable health {key}", "", cancellation);
    }

    private async Task SetAddressAsync(PutIn member, Member seen, CancellationToken cancellation)
    {
        var key = Key(member.Member);
        if (settings.Members == MemberManagement.Fixed || !seen.IsOut) throw BalancerErrors.AddressDiffers(balancer, key, seen, member.Address!);
        // Its answer is a sentence about what changed.
        await watch.CommandAsync($"set server {key} addr {member.Address!.Host} port {member.Address.Port}", expected: null, cancellation);
        var now = (await watch.LookAsync(backend, patient: true, cancellation)).Find(member.Member);
        if (now is null || !IsAt(now, member)) throw BalancerErrors.AddressDiffers(balancer, key, now ?? seen, member.Address);
    }

    private async Task SetWeightAsync(PutIn member, CancellationToken cancellation)
    {
        var key = Key(member.Member);
        await watch.CommandAsync($"set server {key} weight {member.Weight}%", "", cancellation);
        if ((await watch.LookAsync(backend, patient: true, cancellation)).Find(member.Member) is not { } now || IsShare(now, member.Weight)) return;
        await watch.CommandAsync($"set server {key} weight 100%", "", cancellation);
        throw BalancerErrors.WeightTooCoarse(balancer, key, member.Weight, now.Weight);
    }

    /// <summary>
    /// A member that leaves maintenance gets requests before its first check ("UP 1/3"), and one that was moved is up by what its old
    /// address answered: both are called down while they are still out, so that only a check that passes now brings them up.
    /// </summary>
    private async Task ForgetChecksAsync(MemberKey key, CancellationToken cancellation)
    {
        await watch.SetAsync(key, "drain", cancellation);
        // Without checks nothing would ever bring it up again. A server that tracks another refuses; the other's checks count then.
        if ((await watch.LookAsync(backend, patient: true, cancellation)).Find(key.Member) is { IsOut: true, LastCheck.Length: > 0 })
            await watch.CommandAsync($"set server {key} health down", expected: null, cancellation);
    }

    /// <summary>HAProxy's runtime API takes IP addresses alone, and shows no others.</summary>
    private async Task<PutIn> ResolvedAsync(PutIn member, CancellationToken cancellation)
    {
        if (member.Address is not { } address || IPAddress.TryParse(address.Host, out _)) return member;
        try
        {
            var found = await Dns.GetHostAddressesAsync(address.Host, cancellation);
            var ip = found.FirstOrDefault(a => a.AddressFamily == AddressFamily.InterNetwork) ?? found[0];
            return member with { Address = MemberAddress.Parse(new IPEndPoint(ip, address.Port).ToString()) };
        }
        catch (SocketException exception)
        {
            throw BalancerErrors.AddressUnknown(balancer, Key(member.Member), address, exception);
        }
    }

    private static bool IsAt(Member seen, PutIn member) => member.Address is null || seen.Address == member.Address.ToString();

    /// <summary>Shares are rounded by the member's own weight; a share that comes to nothing is none.</summary>
    private static bool IsShare(Member seen, int wanted) => Math.Abs(seen.Weight - wanted) <= 1 && seen.Weight > 0;

    private string StatusOf(HaproxyLook look) => string.Join(", ", members.Select(m => look.Find(m.Member)?.Status).Distinct());

    private MemberKey Key(MemberName member) => new(backend, member);

    /// <summary>
    /// "UP 1/2" is not enough: a member that leaves maintenance is called so at once and is checked only then; "UP" comes with the first
    /// check that passes. With fall 1 it is called "UP" at once too, before its first check (INI) and after one that failed while it was out.
    /// </summary>
    private static bool IsSurelyUp(Member seen)
        => seen.State == MemberState.Ready && (seen.Status == "no check" || (seen.Status == "UP" && Passed.Contains(seen.LastCheck.Split(' ')[0])));
}
