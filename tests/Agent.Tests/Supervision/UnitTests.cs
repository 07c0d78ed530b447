using Decant.Agent.Instances;
using Decant.Agent.Supervision;
using Decant.Names;
using Tmds.DBus.Protocol;

namespace Decant.Agent.Tests.Supervision;

/// <summary>How slots are told to systemd, and what it says is understood.</summary>
public class UnitTests
{
    [TestCase("shop", "blue", "decant-app@shop-blue.service", "/org/freedesktop/systemd1/unit/decant_2dapp_40shop_2dblue_2eservice")]
    [TestCase("shop-api", "blue", "decant-app@shop.api-blue.service", "/org/freedesktop/systemd1/unit/decant_2dapp_40shop_2eapi_2dblue_2eservice")]
    [TestCase("shop", "api-blue", "decant-app@shop-api.blue.service", "/org/freedesktop/systemd1/unit/decant_2dapp_40shop_2dapi_2eblue_2eservice")]
    [TestCase("a_1", "2", "decant-app@a_1-2.service", "/org/freedesktop/systemd1/unit/decant_2dapp_40a_5f1_2d2_2eservice")]
    public void A_slot_has_a_unit_of_its_own_and_the_unit_tells_its_slot(string app, string slot, string unit, string path)
    {
        var key = new InstanceKey(AppName.Parse(app), SlotName.Parse(slot));
        var task = UnitNames.Task(key, 0x1f);

        Assert.Multiple(() =>
        {
            Assert.That(UnitNames.Of(key), Is.EqualTo(unit));
            Assert.That(UnitNames.SlotOf(unit), Is.EqualTo(key));
            Assert.That(SystemdBus.PathOf(unit), Is.EqualTo(path));
            Assert.That(UnitNames.AppOf(task), Is.EqualTo(key.App));
            Assert.That(UnitNames.OfTask(task), Does.Match("^decant-task@.*-1f[.]service$"));
        });
    }

    [TestCase("decant-app@shop.service")]
    [TestCase("decant-app@a-b-c.service")]
    [TestCase("decant-app@A-b.service")]
    [TestCase("decant-task@shop-blue-1.service")]
    [TestCase("dbus.service")]
    public void Other_units_are_of_no_slot(string unit) => Assert.That(UnitNames.SlotOf(unit), Is.Null);

    [Test]
    public void An_environment_is_written_so_that_systemd_reads_every_value_as_it_is()
        => Assert.That(
            EnvironmentFile.Text(new Dictionary<string, string> { ["A"] = "plain", ["B"] = "\"q\" $x `y` \\z", ["C"] = "two\nlines", ["D"] = "" }),
            Is.EqualTo("A=\"plain\"\nB=\"\\\"q\\\" \\$x \\`y\\` \\\\z\"\nC=\"two\nlines\"\nD=\"\"\n"));

    [Test]
    public void What_systemd_says_of_an_end_is_an_exit_code_or_a_signal()
    {
        var began = new UnitState().With(new Dictionary<string, VariantValue> { ["ActiveState"] = "active", ["MainPID"] = 7u, ["ExecMainPID"] = 7u, ["ExecMainStartTimestamp"] = 1_000_000ul });
        var exited = began.With(new Dictionary<string, VariantValue> { ["ActiveState"] = "failed", ["MainPID"] = 0u, ["ExecMainCode"] = 1, ["ExecMainStatus"] = 7, ["ExecMainExitTimestamp"] = 2_000_000ul });
        var killed = began.With(new Dictionary<string, VariantValue> { ["ExecMainCode"] = 2, ["ExecMainStatus"] = 9 });

        Assert.Multiple(() =>
        {
            Assert.That((began.IsOver, began.MainPid, began.Ended, began.Began), Is.EqualTo((false, 7, (DateTimeOffset?)null, (DateTimeOffset?)DateTimeOffset.UnixEpoch.AddSeconds(1))));
            Assert.That((exited.IsOver, exited.LastPid, exited.ExitCode, exited.Ended), Is.EqualTo((true, 7, 7, (DateTimeOffset?)DateTimeOffset.UnixEpoch.AddSeconds(2))));
            Assert.That(killed.ExitCode, Is.EqualTo(137));
        });
    }

    [Test]
    public void The_end_of_a_unit_is_the_one_after_its_start_and_a_job_after_that_is_somebody_elses()
    {
        using var watch = new UnitWatch("decant-app@shop-main.service", _ => { });
        var over = new Dictionary<string, VariantValue> { ["ActiveState"] = "inactive" };
        watch.Changed(over);
        watch.JobBegan();

        watch.Arm();
        watch.Asked(new UnitState().With(new Dictionary<string, VariantValue> { ["ActiveState"] = "active", ["MainPID"] = 7u }));
        var (early, ours) = (watch.Over.IsCompleted, watch.HadJob);
        watch.JobBegan();
        watch.Changed(over);

        Assert.That((early, ours, watch.Over.IsCompleted, watch.HadJob), Is.EqualTo((false, false, true, true)));
    }

    [Test]
    public void An_end_that_comes_while_the_unit_is_asked_for_is_not_lost()
    {
        using var watch = new UnitWatch("decant-app@shop-main.service", _ => { });
        watch.Arm();
        watch.Changed(new Dictionary<string, VariantValue> { ["ActiveState"] = "failed", ["ExecMainStatus"] = 3, ["ExecMainCode"] = 1 });

        watch.Asked(new UnitState().With(new Dictionary<string, VariantValue> { ["ActiveState"] = "active", ["MainPID"] = 7u }));

        Assert.That((watch.Over.IsCompleted, watch.State.ExitCode), Is.EqualTo((true, 3)));
    }

    [TestCase("""{"__REALTIME_TIMESTAMP":"1000000","MESSAGE":"hello"}""", "hello")]
    [TestCase("""{"__REALTIME_TIMESTAMP":"1000000","MESSAGE":[104,105,27]}""", "hi\u001b")]
    [TestCase("""{"__REALTIME_TIMESTAMP":"1000000","MESSAGE":null}""", null)]
    [TestCase("""{"__REALTIME_TIMESTAMP":"1000000"}""", null)]
    [TestCase("""{"MESSAGE":"hello"}""", null)]
    [TestCase("-- no entries --", null)]
    public void A_line_of_the_journal_has_a_time_and_a_text_or_is_none(string entry, string? text)
    {
        var line = JournalLog.Parse(entry);

        Assert.That(line?.Text, Is.EqualTo(text));
        if (text is not null) Assert.That(line!.Value.At, Is.EqualTo(DateTimeOffset.UnixEpoch.AddSeconds(1)));
    }
}
