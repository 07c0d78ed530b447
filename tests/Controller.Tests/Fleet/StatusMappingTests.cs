using Decant.Controller.Fleet;
using Decant.Names;
using Decant.V1;
using Google.Protobuf.WellKnownTypes;

namespace Decant.Controller.Tests.Fleet;

public class StatusMappingTests
{
    private static readonly AppName Shop = AppName.Parse("shop");

    [Test]
    public void A_slot_that_has_no_name_is_left_out()
    {
        var status = new HostStatus { Instances = { new Instance { App = "shop", Slot = "not a slot", State = InstanceState.Running }, new Instance { App = "shop", Slot = "main" } } };

        Assert.That(StatusMapping.ToObservation(status, Shop).Slots.Select(s => s.Name.Value), Is.EqualTo(new[] { "main" }));
    }

    [Test]
    public void A_time_that_no_calendar_has_is_none()
    {
        var status = new HostStatus { Instances = { new Instance { App = "shop", Slot = "main", RetireAt = new Timestamp { Seconds = long.MaxValue } } } };

        Assert.That(StatusMapping.ToObservation(status, Shop).Slots.Single().RetireAt, Is.Null);
    }

    [Test]
    public void Numbers_that_are_too_large_are_not_taken_for_negative_ones()
    {
        var backend = new Backend { Members = { new Member { Name = "web1", Weight = uint.MaxValue, ResponsesTotal = ulong.MaxValue, Responses5Xx = 1UL << 63, ResponseTimeMs = double.NaN } } };

        var member = StatusMapping.ToObservation(backend).Members.Values.Single();

        Assert.That((member.Weight, member.Answers, member.Errors, member.ResponseTimeMs), Is.EqualTo((int.MaxValue, long.MaxValue, long.MaxValue, 0.0)));
    }
}
