using CsCheck;
using Decant.Agent.Balancers;
using Decant.Names;

namespace Decant.Agent.Tests.Balancers;

public class NginxUpstreamTests
{
    private static readonly Gen<TableMember> Members = Gen.Select(
        Gen.String[Gen.Char["abcWEB019._-"], 1, 12],
        OneOf("127.0.0.1:4000", "[::1]:4001", "app.internal:80", "unix:/run/app.sock"),
        OneOf(MemberState.Ready, MemberState.Draining, MemberState.Maintenance),
        Gen.Int[1, 100],
        OneOf("", "max_fails=0", "backup fail_timeout=5s"),
        (name, address, state, weight, options) => new TableMember(MemberName.Parse(name), address, state, weight, options));

    [Test]
    public void What_is_written_is_read_again()
        => Members.List[0, 6].Sample(members =>
        {
            var table = new MemberTable([.. members.DistinctBy(m => m.Name)]);
            var written = NginxUpstream.Parse("upstream shop {\n  keepalive 16;\n}\n").With(table);
            var read = NginxUpstream.Parse(written.Text);
            return read.Table.IsSame(table) && read.Directives.SequenceEqual(["  keepalive 16;"]) && read.With(table).Text == written.Text;
        });

    [Test]
    public void Any_change_of_what_was_written_is_noticed()
        => Gen.Int[0, 1000].Select(Gen.Char["x 0;#"]).Sample((place, character) =>
        {
            var text = NginxUpstream.Parse("upstream shop {\n server 127.0.0.1:4000; # member web1\n}\n").With(new MemberTable([])).Text;
            // The digest's own line aside: without a digest the file is taken as it is.
            var at = text.IndexOf('\n', StringComparison.Ordinal) + 1 + (place % (text.Length - text.IndexOf('\n', StringComparison.Ordinal) - 1));
            return Refuses<NginxEditedException>(() => NginxUpstream.Parse(text.Insert(at, $"{character}")));
        });

    [Test]
    public void A_file_of_somebody_elses_is_taken_with_his_weights_scaled_and_names_by_address()
    {
        var read = NginxUpstream.Parse("""
            # ours
            upstream shop {
              least_conn;
              server 10.0.0.1:4000 weight=4 max_fails=2; # member web1
              server 10.0.0.2:4000;
              server [::1]:4000 down;   # member web3: maintenance
              server 127.0.0.1:9 down; # nobody
            }
            """);

        Assert.That(read.Table.Members, Is.EqualTo(new[]
        {
            new TableMember(MemberName.Parse("web1"), "10.0.0.1:4000", MemberState.Ready, 100, "max_fails=2"),
            new TableMember(MemberName.Parse("10.0.0.2:4000"), "10.0.0.2:4000", MemberState.Ready, 25),
            new TableMember(MemberName.Parse("web3"), "[::1]:4000", MemberState.Maintenance, 25),
        }));
    }

    [Test]
    public void A_member_whose_name_begins_with_a_colon_stays_in_maintenance_when_its_file_is_written()
    {
        var read = NginxUpstream.Parse("upstream shop {\n server :1 down; # member :1: maintenance\n}\n");

        Assert.That(NginxUpstream.Parse(read.With(read.Table).Text).Table.Members.Single().State, Is.EqualTo(MemberState.Maintenance));
    }

    [Test]
    public void A_line_that_is_shown_steers_no_terminal_and_has_an_end()
        => Assert.That(
            () => NginxUpstream.Parse($"\u001b[2J{new string('x', 10_000)}"),
            Throws.InstanceOf<FormatException>().With.Message.Length.LessThan(400).And.Message.Not.Contains("\u001b"));

    [Test]
    public void The_example_that_is_shipped_has_no_members_yet()
    {
        var read = NginxUpstream.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "examples", "nginx-shop.conf")));

        Assert.That(read.Name, Is.EqualTo("shop"));
        Assert.That(read.Table.Members, Is.Empty);
    }

    [TestCase("", "has no block")]
    [TestCase("upstream shop {", "has no block")]
    [TestCase("server 1.2.3.4;", "line 1")]
    [TestCase("upstream shop {\n server a:1; server b:1;\n}", "line 2")]
    [TestCase("upstream shop {\n server a:1 # no end\n}", "line 2")]
    [TestCase("upstream shop {\n}\nupstream other {\n}", "line 3")]
    [TestCase("upstream shop {\n server a:1; # member x\n server b:1; # member x\n}", "a second member x")]
    [TestCase("upstream shop {\n if (x) {\n}", "line 2")]
    public void What_cannot_be_read_is_named_by_its_line(string text, string words)
        => Assert.That(() => NginxUpstream.Parse(text), Throws.InstanceOf<FormatException>().With.Message.Contains(words));

    private static Gen<T> OneOf<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    private static bool Refuses<T>(Action action)
        where T : Exception
    {
        try
        {
            action();
            return false;
        }
        catch (T)
        {
            return true;
        }
    }
}
