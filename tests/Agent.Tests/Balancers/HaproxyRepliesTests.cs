using System.Globalization;
using CsCheck;
using Decant.Agent.Balancers;

namespace Decant.Agent.Tests.Balancers;

internal sealed class HaproxyRepliesTests
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

    private const string Info = "Name: HAProxy\nVersion: 2.6.12\nPid: 77\nStopping: 0\n";

    [Test]
    public void A_backend_is_read_by_the_names_of_the_columns()
    {
        var backend = HaproxyReplies.Backend("shop", Stat, State)!;

        Assert.That(backend.Members, Is.EqualTo(new[]
        {
            new Member
            {
                Name = "web1",
                Address = "10.0.0.1:80",
                State = MemberState.Ready,
                Status = "UP",
                Weight = 25,
                Sessions = 3,
                Queued = 2,
                SessionsTotal = 40,
                Responses5xx = 7,
                ConnectionErrors = 1,
                ResponseErrors = 2,
                ResponsesTotal = 37,
                ResponseTimeMs = 12,
                ResponseTimeWindow = 512,
                LastCheck = "L7OK 200",
            },
            new Member
            {
                Name = "web2",
                Address = "[::1]:81",
                State = MemberState.Draining,
                Status = "DOWN 1/2",
                Weight = 100,
                ResponseTimeWindow = 512,
                LastCheck = "L4CON Connection \"refused\", at once",
            },
        }));
    }

    [Test]
    public void Columns_in_any_order_and_unknown_ones_make_no_difference()
    {
        var lines = Stat.Split('\n').Select(l => l.TrimStart('#', ' ')).ToList();
        var expected = HaproxyReplies.Backend("shop", Stat, State)!;

        Gen.Shuffle(Enumerable.Range(0, 17).ToArray()).Sample(order =>
        {
            var shuffled = string.Join('\n', lines.Select((line, n) => (n == 0 ? "# new," : "x,") + string.Join(',', order.Select(i => Fields(line)[i]))));
            return HaproxyReplies.Backend("shop", shuffled, State)!.Members.SequenceEqual(expected.Members);
        });

        static List<string> Fields(string line) => [.. System.Text.RegularExpressions.Regex.Split(line, ",(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)")];
    }

    [TestCase("MAINT", 1, MemberState.Maintenance)]
    [TestCase("MAINT (via shop/web9)", 2, MemberState.Maintenance)]
    [TestCase("MAINT (resolution)", 32, MemberState.Maintenance)]
    [TestCase("UP", 4, MemberState.Ready)]
    [TestCase("UP 1/3", 0, MemberState.Ready)]
    [TestCase("no check", 0, MemberState.Ready)]
    [TestCase("no check", 8, MemberState.Draining)]
    [TestCase("DRAIN", 8, MemberState.Draining)]
    [TestCase("DRAIN 1/3", 16, MemberState.Draining)]
    [TestCase("DRAIN", 0, MemberState.Draining)]
    [TestCase("DOWN", 8, MemberState.Draining)]
    [TestCase("DOWN (agent)", 0, MemberState.Down)]
    [TestCase("NOLB", 0, MemberState.Down)]
    public void A_members_state_comes_from_its_flags_and_its_status(string status, int flags, MemberState expected)
    {
        var backend = HaproxyReplies.Backend(
            "b",
            $"# pxname,svname,type,status,scur,qcur\nb,s,2,{status},0,0\nb,BACKEND,1,UP,0,0",
            $"1\n# be_name srv_name srv_admin_state\nb s {flags.ToString(CultureInfo.InvariantCulture)}")!;

        Assert.That(backend.Members.Single().State, Is.EqualTo(expected));
    }

    [Test]
    public void A_frontend_of_that_name_is_no_backend()
        => Assert.That(HaproxyReplies.Backend("web", "# pxname,svname,type,status,scur,qcur\nweb,FRONTEND,0,OPEN,0,", State), Is.Null);

    [TestCase("")]
    [TestCase("HTTP/1.1 400 Bad Request\r\n\r\n")]
    [TestCase("# pxname,svname\nshop,web1")]
    [TestCase("Unknown command. Please enter one of the following commands only:")]
    public void What_is_no_answer_to_show_stat_is_an_error_that_shows_its_beginning(string reply)
        => Assert.That(() => HaproxyReplies.Backends(reply), Throws.TypeOf<FormatException>().With.Message.Contains("\"show stat\""));

    [Test]
    public void A_number_that_is_none_is_an_error_where_it_matters()
        => Assert.That(
            () => HaproxyReplies.Backend("shop", Stat.Replace("shop,web1,2,3,", "shop,web1,2,many,", StringComparison.Ordinal), State),
            Throws.TypeOf<FormatException>().With.Message.EqualTo("scur is \"many\", not a number"));

    [TestCase("2147483648")]
    [TestCase("4294967295")]
    public void A_number_of_sessions_that_cannot_be_is_an_error_and_not_fewer_than_none(string sessions)
        => Assert.That(
            () => HaproxyReplies.Backend("shop", Stat.Replace("shop,web1,2,3,", $"shop,web1,2,{sessions},", StringComparison.Ordinal), State),
            Throws.TypeOf<FormatException>().With.Message.EqualTo($"scur is \"{sessions}\", not a number"));

    [Test]
    public void An_answer_that_was_damaged_anywhere_is_read_or_refused_and_nothing_else()
    {
        foreach (var whole in new[] { Stat, State, Info })
        {
            var damage = Gen.Select(Gen.Int[0, whole.Length], Gen.Int[0, 20], Gen.OneOf(Gen.Char[" ,\n#\"\r0-9:"].Array[0, 8].Select(c => new string(c)), Gen.String[0, 8]));
            damage.Array[1, 4].Select(d => d.Aggregate(whole, Damaged)).Sample(
                text => IsReadOrRefused(() => HaproxyReplies.Backend("shop", text, State))
                    && IsReadOrRefused(() => HaproxyReplies.Backend("shop", Stat, text))
                    && IsReadOrRefused(() => HaproxyReplies.Backends(text))
                    && IsReadOrRefused(() => HaproxyReplies.Info(text)),
                iter: 2000);
        }
    }

    private static string Damaged(string text, (int At, int Length, string Instead) damage)
    {
        var at = Math.Min(damage.At, text.Length);
        return text[..at] + damage.Instead + text[Math.Min(text.Length, at + damage.Length)..];
    }

    private static bool IsReadOrRefused(Func<object?> read)
    {
        try
        {
            read();
            return true;
        }
        catch (FormatException exception)
        {
            return exception.Message.Length is > 0 and < 400;
        }
    }
}
