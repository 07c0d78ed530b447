using Decant.Agent.Elixir;
using Decant.Agent.Instances;

namespace Decant.Agent.Tests.Instances;

public class CrashDumpsTests
{
    [Test]
    public void A_dump_is_put_aside_under_the_time_of_the_death_and_the_last_two_are_kept()
    {
        using var directory = new TemporaryDirectory();
        var directories = new AppDirectories(directory.Path);
        var dumps = new CrashDumps(directories);
        var key = AgentHost.Key("main");
        var kept = new List<string?>();

        for (var hour = 1; hour <= 4; hour++)
        {
            File.WriteAllText(Path.Combine(directories.Crash(key), "erl_crash.dump"), $"{hour}");
            kept.Add(dumps.Collect(key, DateTimeOffset.UnixEpoch.AddHours(hour)));
        }

        Assert.Multiple(() =>
        {
            Assert.That(Directory.GetFiles(directories.Crash(key)), Is.EquivalentTo(kept.TakeLast(2)));
            Assert.That(File.ReadAllText(kept[^1]!), Is.EqualTo("4"));
            Assert.That(dumps.Collect(key, DateTimeOffset.UnixEpoch), Is.Null, "this one left none");
        });
    }
}
