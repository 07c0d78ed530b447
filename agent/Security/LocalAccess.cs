using System.Globalization;
using System.Net.Sockets;
using Decant.Agent.Configuration;
using Decant.Agent.Hosting;
using Decant.Names;

namespace Decant.Agent.Security;

/// <summary>Who may do what over the unix socket: by the user of the process that calls.</summary>
internal static class LocalAccess
{
    /// <summary>Who has connected.</summary>
    /// <param name="socket">The connection.</param>
    /// <param name="path">The agent's socket.</param>
    /// <param name="access">What agent.yml grants.</param>
    public static Caller Of(Socket socket, string path, AccessSettings access)
    {
        var peer = PeerCredentials.Of(socket);
        var name = Accounts.UserName(peer.UserId);
        var rights = RightsOf(peer, name, UnixListener.GroupOf(path), Accounts.GroupName, access);
        return new Caller(name is null ? $"uid {peer.UserId}" : $"{name} (uid {peer.UserId})", "unix", rights) { IsLocal = true };
    }

    /// <summary>What a process may do.</summary>
    /// <param name="peer">The process.</param>
    /// <param name="user">Its user's name.</param>
    /// <param name="socketGroup">The group of the agent's socket; null: it is not known.</param>
    /// <param name="groupName">Names groups.</param>
    /// <param name="access">What agent.yml grants.</param>
    public static Rights RightsOf(PeerCredentials peer, string? user, uint? socketGroup, Func<uint, string?> groupName, AccessSettings access)
    {
        if (peer.UserId == 0 || peer.UserId == PeerCredentials.OwnUser) return Rights.Admin;
        if (Granted(access.Users, user, peer.UserId) is { } own) return Rights.Of(own);
        if (access.Groups is { } groups)
            return groups.Count == 0 ? Rights.None : Rights.Of(peer.Groups.Distinct().SelectMany(g => Granted(groups, groupName(g), g) ?? []));
        return socketGroup is { } group && peer.Groups.Contains(group) ? Rights.Admin : Rights.None;
    }

    private static IReadOnlyList<RoleName>? Granted(IReadOnlyDictionary<string, IReadOnlyList<RoleName>> grants, string? name, uint id)
        => (name is not null && grants.TryGetValue(name, out var named) ? named : null)
            ?? (grants.TryGetValue(id.ToString(CultureInfo.InvariantCulture), out var numbered) ? numbered : null);
}
