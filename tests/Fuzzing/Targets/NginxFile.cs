using System.Text;
using Decant.Agent.Balancers;
using Decant.Fuzzing.Engine;

namespace Decant.Fuzzing.Targets;

/// <summary>An nginx upstream file: members, or a FormatException. What is read and written again is read the same.</summary>
internal sealed class NginxFile : FuzzTarget
{
    private const string Theirs = """
        # ours
        upstream shop {
          least_conn;
          server 10.0.0.1:4000 weight=4 max_fails=2; # member web1
          server 10.0.0.2:4000;
          server [::1]:4000 down;   # member web3: maintenance
          server unix:/run/app.sock weight=100 backup down; # member web4: draining
          server 127.0.0.1:9 down; # nobody
          keepalive 16;
        }

        """;

    public override IEnumerable<byte[]> Seeds => [.. Bytes(Theirs, "upstream shop {\n}\n", "", "upstream a {\n server b; server c;\n}\n"), Encoding.UTF8.GetBytes(Written())];

    public override IReadOnlyList<byte[]> Words => Bytes(
        "upstream ", "server ", "{", "}", ";", "# ", "# member ", ": draining", ": maintenance", " down", " weight=", "weight=0", "weight=2147483647", "# decant-digest: ", "\n", "\r", "\t", " ", "# nobody", "10.0.0.1:80", "unix:/a", "web1", "backup");

    public override long MayAllocate(int length) => (4 << 20) + (2000L * length);

    public override string Run(byte[] input)
    {
        NginxUpstream read;
        try
        {
            read = NginxUpstream.Parse(Encoding.UTF8.GetString(input));
        }
        catch (FormatException refused)
        {
            Readable(refused.Message);
            return refused is NginxEditedException ? "edited" : refused.Message[^Math.Min(25, refused.Message.Length)..];
        }

        Promise(read.Table.Members.Select(m => m.Name).Distinct().Count() == read.Table.Members.Count, "a member is there twice");
        var written = read.With(read.Table);
        var again = NginxUpstream.Parse(written.Text);
        Promise(again.Name == read.Name && again.Table.IsSame(read.Table), "what is written is not what is read again");
        Promise(again.Directives.SequenceEqual(read.Directives), "directives change when they are written");
        Promise(again.With(again.Table).Text == written.Text, "it is written otherwise the second time");
        return $"{Math.Min(5, read.Table.Members.Count)} members {Math.Min(3, read.Directives.Count)}";
    }

    private static string Written()
    {
        var theirs = NginxUpstream.Parse(Theirs);
        return theirs.With(theirs.Table).Text;
    }
}
