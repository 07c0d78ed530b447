using System.Text.RegularExpressions;

namespace Decant.Agent.Balancers;

/// <summary>
/// A connection through HAProxy that was upgraded: a websocket. <c>show sess</c> (management guide, section 9.3) tells it apart: HAProxy
/// has nothing left to analyse in either direction (<c>an=00h</c>), while a request or an answer that is on its way still has analysers.
/// </summary>
internal sealed partial class HaproxyTunnel
{
    private readonly HaproxySession process;
    private readonly string id;

    private HaproxyTunnel(HaproxySession process, string id) => (this.process, this.id) = (process, id);

    /// <summary>Those of a member, from the answer to <c>show sess</c>.</summary>
    public static IEnumerable<HaproxyTunnel> Of(HaproxySession process, MemberKey member, string showSess)
        => IdsOf(member, showSess).Select(id => new HaproxyTunnel(process, id));

    /// <summary>Ids of a member's streams that have nothing left to analyse.</summary>
    public static IReadOnlyList<string> IdsOf(MemberKey member, string showSess)
        => [.. Streams().Matches(showSess)
            .Where(s => s.Groups["be"].Value == member.Backend.Value && s.Groups["srv"].Value == member.Member.Value)
            .Where(s => IsZero(s.Groups["rq"].Value) && IsZero(s.Groups["rp"].Value))
            .Select(s => s.Groups["id"].Value)];

    /// <summary>
    /// Closes it. An id is an address in HAProxy's memory, which another stream may have by now: it is looked at once more, and only a
    /// stream that HAProxy itself calls a tunnel of HTTP is closed.
    /// </summary>
    /// <returns>Whether it was there and is closed.</returns>
    public async Task<bool> CloseAsync(MemberKey member, CancellationToken cancellation)
    {
        try
        {
            var details = await process.AskAsync($"show sess {id}", cancellation);
            if (!details.Contains($"backend={member.Backend} ", StringComparison.Ordinal)
                || !details.Contains($"server={member.Member} ", StringComparison.Ordinal)
                || !details.Contains("rsp.st=MSG_TUNNEL", StringComparison.Ordinal)) return false;
            return HaproxyReplies.IsDone(await process.AskAsync($"shutdown session {id}", cancellation));
        }
        catch (HaproxyGoneException)
        {
            return false;
        }
    }

    private static bool IsZero(string hexadecimal) => hexadecimal.All(c => c == '0');

    [GeneratedRegex(@"^(?<id>0x[0-9a-f]+): .*? be=(?<be>\S+) srv=(?<srv>\S+) .*? rq\[[^\]]*?\ban=(?<rq>[0-9a-f]+)h[^\]]*\] rp\[[^\]]*?\ban=(?<rp>[0-9a-f]+)h", RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex Streams();
}
