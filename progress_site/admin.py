from django.contrib import admin

from .models import Customer


@admin.register(Customer)
class CustomerAdmin(admin.ModelAdmin):
    list_display = ("name", "email", "amount", "joined")
    search_fields = ("name", "email")
    show_full_result_count = False
