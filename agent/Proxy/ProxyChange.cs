using Decant.Agent.Balancers;
using Decant.Names;

namespace Decant.Agent.Proxy;

/// <summary>A change of a backend's members, applied as a whole or not at all.</summary>
/// <param name="Into">Put in, when all of them are up.</param>
/// <param name="OutOf">Get no new requests.</param>
/// <param name="Maintenance">The same, said otherwise.</param>
/// <param name="Remove">Deleted; they must be out.</param>
/// <param name="MinOthersUp">Members besides <paramref name="OutOf"/> that must be up before anything is taken out that is up.</param>
/// <param name="Deadline">Until those are up.</param>
internal sealed record ProxyChange(
    IReadOnlyList<PutIn> Into,
    IReadOnlyList<MemberName> OutOf,
    IReadOnlyList<MemberName> Maintenance,
    IReadOnlyList<MemberName> Remove,
    int MinOthersUp,
    TimeSpan Deadline)
{
    /// <summary>All members as they are to be; null when they are so already.</summary>
    /// <exception cref="ProxyRefusalException">It cannot be so.</exception>
    public IReadOnlyList<WantedMember>? Of(ProxyBackend backend)
    {
        var before = backend.Members.Select(m => new WantedMember(m.Name, m.Upstream.Address, m.Weight, m.Wanted)).ToList();
        var after = before.ToList();
        foreach (var member in Into)
        {
            var index = after.FindIndex(m => m.Name == member.Member);
            if (index < 0) after.Add(new WantedMember(member.Member, member.Address ?? throw Missing(backend, member.Member), member.Weight, MemberState.Ready));
            else after[index] = In(after[index], member);
        }

        foreach (var name in OutOf)
        {
            var index = Require(backend, after, name);
            if (after[index].State == MemberState.Ready) after[index] = after[index] with { State = MemberState.Draining };
        }

        foreach (var name in Maintenance) after[Require(backend, after, name)] = after[Require(backend, after, name)] with { State = MemberState.Maintenance };
        foreach (var name in Remove)
        {
            if (after.Find(m => m.Name == name) is not { } found) continue;
            if (found.State == MemberState.Ready) throw new ProxyRefusalException("MEMBER_IN_ROTATION", $"{backend.Name}/{name} is in rotation", "drain it first");
            after.Remove(found);
        }

        return after.SequenceEqual(before) ? null : after;
    }

    private static WantedMember In(WantedMember seen, PutIn member)
    {
        var address = member.Address ?? seen.Address;
        if (seen.State == MemberState.Ready && address != seen.Address)
        {
            throw new ProxyRefusalException(
                "ADDRESS_DIFFERS", $"{seen.Name} is in rotation at {seen.Address}, not at {address}, and does not move while it takes requests", "drain it first");
        }

        return seen with { Address = address, Weight = member.Weight, State = MemberState.Ready };
    }

    private static int Require(ProxyBackend backend, List<WantedMember> members, MemberName name)
    {
        var index = members.FindIndex(m => m.Name == name);
        return index >= 0 ? index : throw Missing(backend, name);
    }

    private static ProxyRefusalException Missing(ProxyBackend backend, MemberName name) => new(
        "MEMBER_NOT_FOUND",
        $"backend {backend.Name} has no member {name}; "
        + (backend.Members.Count == 0 ? "there are none" : $"there are: {string.Join(", ", backend.Members.Select(m => m.Name))}"),
        "correct the name, or put the member in with its address");
}
