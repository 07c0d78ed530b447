using Decant.Agent.Configuration;
using Decant.Agent.Operations;
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

    /// <summary>Puts them in.</summary>
    /// <exception cref="Errors.OperatorException">MEMBER_NOT_FOUND, ADDRESS_DIFFERS, WEIGHT_TOO_COARSE, MEMBER_NOT_UP.</exception>
    public async Task<Undrained> RunAsync(TimeSpan deadline, IOperationReport report, CancellationToken cancellation)
    {
        var first = await watch.LookAsync(backend, patient: false, cancellation);
        if (members.All(m => first.Find(m.Member) is { } seen && IsSurelyUp(seen) && seen.Weight == m.Weight && IsAt(seen, m)))
            return new Undrained(TimeSpan.Zero, StatusOf(first), Unchanged: true);

        var told = "";
        for (var set = 0; ;)
        {
            var look = await watch.LookAsync(backend, patient: true, cancellation);
            // Once for each process: a new one has forgotten what was made, and may have read a state file in which a member is out.
            if (set < watch.Generation)
            {
                set = watch.Generation;
                foreach (var member in members) await SetAsync(member, look.Find(member.Member), cancellation);
                look = await watch.LookAsync(backend, patient: true, cancellation);
            }

            var elapsed = time.GetElapsedTime(begun);
            var waiting = members.Where(m => look.Find(m.Member) is not { } seen || !IsSurelyUp(seen)).Select(m => m.Member).ToList();
            if (waiting.Count == 0) return new Undrained(elapsed, StatusOf(look));
            if (elapsed >= deadline) throw BalancerErrors.NotUp(balancer, Key(waiting[0]), look.Find(waiting[0]), elapsed);
            var states = string.Join(", ", waiting.Select(m => look.Find(m)?.ToString() ?? $"{m} is not there"));
            if (told != states)
            {
                told = states;
                report.Message($"waiting for HAProxy's own checks to call up in {backend}: {told}");
            }

            var left = deadline - elapsed;
            await Task.Delay(left < timings.Look ? left : timings.Look, time, cancellation);
        }
    }

    private async Task SetAsync(PutIn member, Member? seen, CancellationToken cancellation)
    {
        var key = Key(member.Member);
        if (seen is null) await AddAsync(member, cancellation);
        else if (!IsAt(seen, member)) await SetAddressAsync(member, seen, cancellation);
        if (seen?.Weight != member.Weight) await SetWeightAsync(member, cancellation);
        if (seen is null or { IsOut: true }) await watch.SetAsync(key, "ready", cancellation);
    }

    /// <summary>A server made at run time takes nothing from `default-server`, and starts in maintenance (management guide, add server).</summary>
    private async Task AddAsync(PutIn member, CancellationToken cancellation)
    {
        var key = Key(member.Member);
        if (settings.Members == MemberManagement.Fixed || member.Address is not { } address)
            throw BalancerErrors.NoSuchMember(balancer, key, (await watch.LookAsync(backend, patient: true, cancellation)).Backend);
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
        if ((await watch.LookAsync(backend, patient: true, cancellation)).Find(member.Member) is not { } now || Math.Abs(now.Weight - member.Weight) <= 1) return;
        await watch.CommandAsync($"set server {key} weight 100%", "", cancellation);
        throw BalancerErrors.WeightTooCoarse(balancer, key, member.Weight, now.Weight);
    }

    private static bool IsAt(Member seen, PutIn member) => member.Address is null || seen.Address == member.Address.ToString();

    private string StatusOf(HaproxyLook look) => string.Join(", ", members.Select(m => look.Find(m.Member)?.Status).Distinct());

    private MemberKey Key(MemberName member) => new(backend, member);

    /// <summary>
    /// "UP 1/2" is not enough: a member that leaves maintenance is called so at once and is checked only then; "UP" comes with the first
    /// check that passes. With fall 1 it is called "UP" at once too, before its first check (INI) and after one that failed while it was out.
    /// </summary>
    private static bool IsSurelyUp(Member seen)
        => seen.State == MemberState.Ready && (seen.Status == "no check" || (seen.Status == "UP" && Passed.Contains(seen.LastCheck.Split(' ')[0])));
}
