using System.Text;
using Decant.Agent.Balancers;
using Decant.Fuzzing.Engine;

namespace Decant.Fuzzing.Targets;

/// <summary>Answers of HAProxy's stats socket: <c>show stat</c> and, behind a line "%", <c>show servers state</c>. A backend, or a FormatException.</summary>
internal sealed class HaproxyReply : FuzzTarget
{
    private const string Stat = """
        # pxname,svname,qcur,scur,stot,econ,eresp,status,weight,type,check_status,check_code,hrsp_2xx,hrsp_5xx,last_chk,addr,rtime,
        shop,web1,2,3,40,1,2,UP,100,2,L7OK,200,30,7,,10.0.0.1:80,12,
        shop,web2,0,0,0,0,0,DOWN 1/2,100,2,* L4CON,,0,0,"Connection ""refused"", at once",[::1]:81,,
        shop,BACKEND,0,0,0,0,0,UP,100,1,,,,,,,,
        """;

    private const string State = """
        1
        # be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight
        4 shop 1 web1 10.0.0.1 2 0 50 200
        4 shop 2 web2 ::1 0 8 1 1
        """;

    public override IEnumerable<byte[]> Seeds => Bytes($"{Stat}\n%\n{State}\n", "Name: HAProxy\nVersion: 2.6.12\nPid: 77\nStopping: 0\n", "No such proxy.\n", "Unknown command.\n", "\n%\n");

    public override IReadOnlyList<byte[]> Words => Bytes(
        "\n%\n", "# ", ",", "\"", "\"\"", "shop", "web1", "BACKEND", "pxname,", "svname,", "scur,", "srv_admin_state ", "srv_name ", "be_name ", "UP", "MAINT", "DRAIN", "no check", "4294967295", "2147483648", "99999999999999", "Pid: ", "Version: ", ": ");

    // A row of commas alone has all the columns.
    public override long MayAllocate(int length) => (1 << 20) + (3000L * length);

    public override string Run(byte[] input)
    {
        var text = Encoding.UTF8.GetString(input);
        var parts = text.Split("\n%\n", 2);
        var said = Refused(() => $"{HaproxyReplies.Info(text).Count > 2}");
        said += Refused(() => $"{Math.Min(3, HaproxyReplies.Backends(parts[0]).Count)}");
        HaproxyReplies.IsDone(text);
        HaproxyReplies.IsNoSuchBackend(text);
        return said + Refused(() =>
        {
            if (HaproxyReplies.Backend("shop", parts[0], parts[^1]) is not { } backend) return "none";
            foreach (var member in backend.Members) LookAt(member);
            return string.Join(' ', backend.Members.Take(3).Select(m => m.State));
        });
    }

    /// <summary>What holds for a member of any balancer: nothing of it is less than nothing.</summary>
    internal static void LookAt(Member member)
    {
        Promise(member is { Sessions: >= 0, Queued: >= 0, LongLived: >= 0 }, "a member has fewer than no sessions");
        Promise(member is { SessionsTotal: >= 0, ResponsesTotal: >= 0, Responses5xx: >= 0, ConnectionErrors: >= 0, ResponseErrors: >= 0 }, "a member has counted fewer than none");
        Promise(member.Weight >= 0 && double.IsFinite(member.ResponseTimeMs) && member.ResponseTimeMs >= 0, "a member's weight or time is negative");
    }

    private static string Refused(Func<string> read)
    {
        try
        {
            return read();
        }
        catch (FormatException refused)
        {
            Readable(refused.Message);
            return refused.Message[..Math.Min(25, refused.Message.Length)];
        }
    }
}
